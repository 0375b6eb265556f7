"""The convert step: other files made of what is stored."""
