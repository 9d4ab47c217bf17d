"""What everything that speaks HTTP shares, whether it asks or is asked."""
