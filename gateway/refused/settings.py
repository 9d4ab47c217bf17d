"""What may be set about refused messages."""

from gateway.settings import Settings, Size


class RefusedSettings(Settings):
    """``[refused]``: how much of the messages that became no reading is kept for a person to look at."""

    max_bytes: Size = 64 * 1024**2
