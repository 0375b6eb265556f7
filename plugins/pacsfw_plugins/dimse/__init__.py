"""The protocols of DIMSE: C-FIND, C-MOVE and C-GET."""
