"""Read the configured tags into one typed row per instance."""
