"""What tests are made of: importable, so that no file runs another to get at its names."""
