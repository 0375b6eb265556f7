"""The truth about what happened: an SQLite file with one writer, the driver."""

from pacsfw.ledger.ledger import Ledger, open_existing, open_ledger

__all__ = ["Ledger", "open_existing", "open_ledger"]
