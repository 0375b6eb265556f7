"""Send files to a node by C-STORE, and tell of each what became of it."""
