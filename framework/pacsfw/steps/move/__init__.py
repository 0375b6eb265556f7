"""Request what the study list names, and judge what came."""
