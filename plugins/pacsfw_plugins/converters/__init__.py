"""Converters: what is made of stored instances."""
