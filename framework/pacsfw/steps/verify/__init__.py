"""Reconciling the PACS, the ledger and the disk."""
