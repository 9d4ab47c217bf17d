"""What really happened, and a comparison of it with what a database has."""
