"""Ask the components of a configuration whether they could work: `pacsfw.api.Closing.check`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacsfw.cli.plugins_doctor import Finding
from pacsfw.errors import ComponentError, PacsfwError, PluginError, Retry

if TYPE_CHECKING:
    from pacsfw.api import RunContext
    from pacsfw.config import Loaded, Use
    from pacsfw.plugins.records import Offer

SECONDS = 30.0
"""Time limit of one check."""

_ADVICE = "this is what the component itself found when it was asked to check its surroundings"


def checked(config: Path) -> Iterator[Finding]:
    """Build each component that a configuration selects, and yield what its check finds.

    A configuration that cannot be loaded is reported by others.
    """
    from pacsfw.api import Clock
    from pacsfw.cli.common import load

    try:
        loaded = load(config)
    except PacsfwError:
        return
    with tempfile.TemporaryDirectory(prefix="pacsfw-") as folder:
        context = loaded.config.run_context(Path(folder), Clock())
        for kind, use in _uses(loaded):
            try:
                offer = loaded.registry.select(kind, use.name)
                built = loaded.registry.build(kind, use.name, use.options)
            except PacsfwError as err:
                yield Finding(str(err), "it cannot be built with its options")
                continue
            if found := _found(offer, built, context):
                yield Finding(f"{kind} {offer.described}: {found}", _ADVICE)


def _uses(loaded: Loaded) -> Iterator[tuple[str, Use]]:
    """Yield each selected component once, with its kind."""
    from pacsfw.collection.pacs import transfer_use

    seen: set[tuple[str, str]] = set()
    selected = [(each.kind, each.use) for each in loaded.selected]
    if loaded.config.move is not None:
        with suppress(PluginError):  # it selects none: `examine` says what is missing
            selected.append(("transfer", transfer_use(loaded.config, loaded.registry)[0]))
    for kind, use in selected:
        if (kind, use.identity) not in seen:
            seen.add((kind, use.identity))
            yield kind, use


def _found(offer: Offer, built: Any, context: RunContext) -> str:
    """Return what the check of a component finds, empty if it has none or all is well."""
    from pacsfw.plugins.boundary import Boundary
    from pacsfw.workers.limits import limited

    check = getattr(built, "check", None)
    if not callable(check) or isinstance(built, type):
        return ""
    boundary = Boundary(offer.kind, offer.described, (PacsfwError, Retry))
    try:
        text = boundary.call("check", limited(check, SECONDS), context)
    except ComponentError as err:
        return f"check: {err.fault.reason if err.fault else err}"
    except (PacsfwError, Retry) as err:
        return str(err)
    if text is None or isinstance(text, str):
        return text or ""
    return f"check: returned {type(text).__name__}, not a text or None"
