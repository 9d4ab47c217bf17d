"""What a network server's own codec gives for a device: values as JSON writes them, and some servers do otherwise."""


def yes(value: object) -> bool | None:
    """Return yes or no, which some codecs write as 1 and 0; None for what is neither."""
    if isinstance(value, bool):
        return value
    return bool(value) if isinstance(value, int | float) and value in (0, 1) else None
