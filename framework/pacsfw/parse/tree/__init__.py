"""What is below a folder: every file once, members of zip archives included."""
