"""The DIMSE services C-FIND, C-MOVE and C-GET."""
