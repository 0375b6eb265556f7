"""Fuzzing of the parsers that meet bytes of strangers; needs the extra ``fuzz``."""
