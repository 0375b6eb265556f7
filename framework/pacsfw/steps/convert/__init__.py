"""The convert step: convert stored instances to other files."""
