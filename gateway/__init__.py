"""Prehod: reads the sensors of a city, keeps every reading safe on disk, and forwards it."""

__version__ = "0.1.0"
