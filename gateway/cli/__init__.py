"""The commands. Each module is one: `configure` describes its arguments, `run` does it and returns the exit code."""
