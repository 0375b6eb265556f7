"""From a spool file to the dataset folder and a table row."""
