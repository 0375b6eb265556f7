"""Converters, which make other files from stored instances."""
