"""Prehod: reads the sensors of a city, keeps every reading safe on disk, and forwards it."""

__version__ = "0.2.0"
