"""The program: what is built, what runs, and how it stops."""
