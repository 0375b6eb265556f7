"""Compare the PACS, the ledger and the disk."""
