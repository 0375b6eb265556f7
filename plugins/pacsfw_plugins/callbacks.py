"""Tag callbacks that a configuration selects by a short name (``tags[].callback``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pacsfw import Component, hookimpl
from pacsfw.api import ColumnType, TagCallback
from pacsfw.convert import agestr2years, str2datetime, str2timedelta


@hookimpl
def pacsfw_tag_callbacks() -> Iterable[Component[TagCallback]]:
    """Offer the types of Python by name, and the converters of DICOM's text forms."""
    yield _plain_value("str", "text", "text as written in the object, several values joined by \\")
    yield _plain_value("int", "int", "whole number; a fraction is an error and not cut off")
    yield _plain_value("float", "float", "decimal number")
    yield _plain_value("bool", "bool", "true or false from YES/NO, Y/N, TRUE/FALSE or 1/0")
    yield Component.of(str2datetime, summary="date (DA) or date with time (DT)")
    yield Component.of(str2timedelta, summary="time of day (TM) as a duration since midnight")
    yield Component.of(agestr2years, summary="age (AS) in years, 018M is 1.5")


def _plain_value(name: str, returns: ColumnType, summary: str) -> Component[TagCallback]:
    return Component(name=name, factory=_factory(name), summary=summary, returns=returns)


def _factory(name: str) -> Callable[[], TagCallback]:
    def load() -> TagCallback:
        from pacsfw.dicom import values  # it imports pydicom, which takes long

        functions = {
            "str": values.text_of,
            "int": values.int_of,
            "float": values.float_of,
            "bool": values.bool_of,
        }
        return functions[name]

    return load
