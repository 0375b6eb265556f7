"""The record of everything that happened: an SQLite file that only the driver writes."""

from pacsfw.ledger.ledger import Ledger, has_ledger, open_existing, open_ledger

__all__ = ["Ledger", "has_ledger", "open_existing", "open_ledger"]
