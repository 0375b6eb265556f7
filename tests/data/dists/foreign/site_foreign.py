"""Has nothing to do with pacsfw, and broken metadata."""
