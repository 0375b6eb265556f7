"""``python -m pacsfw``."""

from pacsfw.cli import main

raise SystemExit(main())
