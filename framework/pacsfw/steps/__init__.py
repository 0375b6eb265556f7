"""The steps of a collection. None imports another; `pacsfw.collection` wires them."""
