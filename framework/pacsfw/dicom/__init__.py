"""DICOM files and values. Nothing here opens a connection."""
