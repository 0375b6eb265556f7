"""DICOM over the network: PDUs, command sets, negotiation, statuses and SCU associations."""
