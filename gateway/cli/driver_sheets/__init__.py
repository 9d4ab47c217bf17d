"""A driver's sheet, options and sample configuration, as `prehod drivers NAME` prints them."""
