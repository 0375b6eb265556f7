"""Send files to a node by C-STORE, and report the result of each."""
