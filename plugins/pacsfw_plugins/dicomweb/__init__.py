"""The DICOMweb services QIDO-RS and WADO-RS."""
