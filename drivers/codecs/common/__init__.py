"""Parts that several codecs share."""
