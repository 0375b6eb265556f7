"""One collection: this package alone knows every step, and connects them."""
