"""Faces that are looked at with a browser or scraped by a machine."""
