"""From the tags of a configuration to one typed row per object."""
