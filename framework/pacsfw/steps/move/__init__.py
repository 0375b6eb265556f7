"""Request what the work list names, and judge what came."""
