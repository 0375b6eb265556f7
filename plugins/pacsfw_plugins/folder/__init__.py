"""An existing tree of DICOM files as a source."""
