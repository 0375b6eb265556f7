"""DICOMweb: QIDO-RS and WADO-RS."""
