"""DICOM files and values: nothing here opens a connection."""
