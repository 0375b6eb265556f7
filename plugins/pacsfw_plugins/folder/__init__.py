"""An existing tree of DICOM files as the source of a collection."""
