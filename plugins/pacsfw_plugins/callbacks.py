"""The bundled tag callbacks (``tags[].callback``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl
from pacsfw.api import ColumnType, TagCallback
from pacsfw.convert import agestr2years, str2datetime, str2timedelta


@hookimpl
def pacsfw_tag_callbacks() -> Iterable[Component[TagCallback]]:
    """Offer Python types by name, and converters of DICOM dates, times and ages."""
    yield _plain_value(
        "str", "text", "text as written in the instance, several values joined by \\"
    )
    yield _plain_value("int", "int", "whole number; a fraction is an error")
    yield _plain_value("float", "float", "decimal number")
    yield _plain_value("bool", "bool", "true or false from YES/NO, Y/N, TRUE/FALSE or 1/0")
    yield Component.of(str2datetime, summary="date (DA) or date with time (DT)")
    yield Component.of(str2timedelta, summary="time of day (TM) as a duration since midnight")
    yield Component.of(agestr2years, summary="age (AS) in years; 018M is 1.5")


def _plain_value(name: str, returns: ColumnType, summary: str) -> Component[TagCallback]:
    def load() -> TagCallback:
        from pacsfw.dicom import values  # imports pydicom, which is slow

        function: TagCallback = getattr(values, f"{returns}_of")
        return function

    return Component(name=name, factory=load, summary=summary, returns=returns)
