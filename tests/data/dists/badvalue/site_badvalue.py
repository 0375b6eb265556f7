"""Its entry point is no module."""
