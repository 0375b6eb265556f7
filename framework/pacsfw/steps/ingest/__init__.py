"""From a spool file to the archive and a table row."""
