"""Tables, the sinks that write them, and what these want to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pacsfw.api import HEADER, Sink
from pacsfw.config import Tag, Use
from pacsfw.config.columns import natural_type
from pacsfw.config.values import is_url, sibling, without_password
from pacsfw.dicom.tagpath import parse
from pacsfw.plugins.registry import Registry


@dataclass(frozen=True, slots=True)
class Target:
    """One table and the sink that writes it."""

    use: Use
    sink: Sink

    @property
    def name(self) -> str:
        """What it is called in messages and in the ledger; never holds a password."""
        path = str(self.use.options.get("path", ""))
        return self.use.id or without_password(path) or self.use.name

    def multi_table(self, registry: Registry) -> bool:
        """Tell whether the sink takes several tables by name."""
        return registry.select("sink", self.use.name).component.multi_table

    def beside(self, table: str, registry: Registry) -> Target | None:
        """Return where a further table goes; None for a sink that takes one table only.

        That is the same database, or a file of the same format beside this one.
        """
        path = self.use.options.get("path")
        name = f"{self.name}#{table}"
        if self.multi_table(registry):
            use = replace(self.use, id=name)
        elif isinstance(path, str) and not is_url(path):
            other = sibling(path, table)
            name = f"{self.use.id}#{table}" if self.use.id else ""
            use = replace(self.use, id=name, options={**self.use.options, "path": other})
        else:
            return None
        return Target(use, registry.build("sink", use.name, use.options))


def wanted_by(sinks: Sequence[Target]) -> tuple[Tag, ...]:
    """Return what these sinks want to know of each object beside the columns."""
    keywords = sorted({keyword for target in sinks for keyword in target.sink.attributes})
    return tuple(map(wanted_tag, keywords))


def wanted_tag(keyword: str) -> Tag:
    """Return the tag of an attribute that no column holds; `HEADER` is the whole header."""
    return Tag(
        names=(keyword,),
        alias=f"*{keyword}" if keyword != HEADER else "*header",
        default=None,
        callbacks=(),
        type="json" if keyword == HEADER else natural_type(parse(keyword), ""),
        where="sinks",
    )
