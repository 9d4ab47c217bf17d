"""The servers that a simulated city talks to, real ones and stand-ins, and what they have stored."""
