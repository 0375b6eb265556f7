"""Tables, the sinks that write them, and the attributes that the sinks ask for."""

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
        """Its name in messages and in the ledger; never contains a password."""
        path = str(self.use.options.get("path", ""))
        return self.use.id or without_password(path) or self.use.name

    def multi_table(self, registry: Registry) -> bool:
        """Return whether the sink accepts several tables by name."""
        return registry.select("sink", self.use.name).component.multi_table

    def companion(self, table: str, registry: Registry) -> Target | None:
        """Return the target of a further table; None for a sink that accepts only one table.

        It is in the same database, or in a file of the same format in the same folder.
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
    """Return the tags that these sinks ask for in addition to the columns."""
    keywords = sorted({keyword for target in sinks for keyword in target.sink.attributes})
    return tuple(map(wanted_tag, keywords))


def wanted_tag(keyword: str) -> Tag:
    """Return the tag of an attribute that is in no column; `HEADER` is the complete header."""
    return Tag(
        names=(keyword,),
        alias=f"*{keyword}" if keyword != HEADER else "*header",
        default=None,
        callbacks=(),
        type="json" if keyword == HEADER else natural_type(parse(keyword), ""),
        where="sinks",
    )
