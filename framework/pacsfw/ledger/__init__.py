"""The truth about what happened: an SQLite file with one writer, the driver."""

from pacsfw.ledger.ledger import Ledger, has_ledger, open_existing, open_ledger

__all__ = ["Ledger", "has_ledger", "open_existing", "open_ledger"]
