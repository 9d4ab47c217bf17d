"""What a person may configure: the models, reading a file, and explaining its mistakes."""
