"""One collection, wired: the only room that knows every step."""
