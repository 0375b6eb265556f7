"""Walk a tree of files: every file once, including members of zip archives."""
