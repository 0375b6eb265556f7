"""Its entry points are not UTF-8."""
