"""JSON (RFC 8259), read with positions; duplicate keys are an error."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import Any, NoReturn

from pacsfw.config.document import MAX_DEPTH, Document, KeyPath, Mark, spell
from pacsfw.config.values import number
from pacsfw.errors import ConfigError

_BLANK = re.compile(r"[ \t\n\r]*")


def read(text: str, name: str) -> Document:
    """Parse JSON.

    Raises
    ------
    ConfigError
        It is not JSON, has duplicate keys, or is nested too deeply.
    """
    parser = _Parser(text, name)
    start = parser.skip(0)
    if start == len(text):
        raise ConfigError(f"{name}:1:1: the configuration is empty")
    tree, end = parser.value(start, ())
    end = parser.skip(end)
    if end != len(text):
        parser.refuse(end, (), "not valid JSON: unexpected text after the end")
    return Document(name, tree, parser.values, parser.keys)


class _Parser:
    """Parse objects and arrays itself; the json module reads the scalars."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self._scalars = json.JSONDecoder(
            parse_constant=_no_constant,
            parse_int=lambda digits: number(digits, whole=True),
            parse_float=lambda digits: number(digits, whole=False),
        )
        self.values: dict[KeyPath, Mark] = {}
        self.keys: dict[KeyPath, Mark] = {}

    def value(self, at: int, place: KeyPath) -> tuple[Any, int]:
        """Return the value that begins at index ``at``, and the index after it."""
        if len(place) > MAX_DEPTH:
            self.refuse(at, place[:1], "nested too deeply")
        self.values[place] = self._mark(at)
        opening = self._text[at : at + 1]
        if opening == "{":
            return self._object(at, place)
        if opening == "[":
            return self._array(at, place)
        return self._scalar(at, place)

    def _scalar(self, at: int, place: KeyPath) -> tuple[Any, int]:
        try:
            return self._scalars.raw_decode(self._text, at)
        except json.JSONDecodeError as err:
            self.refuse(err.pos, place, f"not valid JSON: {err.msg[0].lower()}{err.msg[1:]}")
        except ValueError as err:
            self.refuse(at, place, str(err))

    def _object(self, at: int, place: KeyPath) -> tuple[dict[str, Any], int]:
        tree: dict[str, Any] = {}
        at = self.skip(at + 1)
        while self._text[at : at + 1] != "}" or tree:
            if self._text[at : at + 1] != '"':
                self.refuse(at, place, "not valid JSON: expected a key in double quotes")
            key, end = self._scalar(at, place)
            here = (*place, key)
            if key in tree:
                first = self.keys[here].line
                self.refuse(at, here, f"duplicate key (first on line {first})")
            self.keys[here] = self._mark(at)
            end = self.skip(end)
            if self._text[end : end + 1] != ":":
                self.refuse(end, here, "not valid JSON: expected ':'")
            tree[key], end = self.value(self.skip(end + 1), here)
            at = self._after(end, "}", place)
            if self._text[at - 1] == "}":
                return tree, at
            at = self.skip(at)
        return tree, at + 1

    def _array(self, at: int, place: KeyPath) -> tuple[list[Any], int]:
        items: list[Any] = []
        at = self.skip(at + 1)
        while self._text[at : at + 1] != "]" or items:
            item, end = self.value(at, (*place, len(items)))
            items.append(item)
            at = self._after(end, "]", place)
            if self._text[at - 1] == "]":
                return items, at
            at = self.skip(at)
        return items, at + 1

    def _after(self, at: int, closing: str, place: KeyPath) -> int:
        """Return the index after the comma or the closing bracket."""
        at = self.skip(at)
        if self._text[at : at + 1] not in {",", closing}:
            self.refuse(at, place, f"not valid JSON: expected ',' or '{closing}'")
        return at + 1

    def skip(self, at: int) -> int:
        """Return the index of the next character that is not blank."""
        match = _BLANK.match(self._text, at)
        return match.end() if match else at

    def refuse(self, at: int, place: KeyPath, why: str) -> NoReturn:
        """Raise a ConfigError for index ``at``."""
        mark = self._mark(at)
        path = f"{spell(place)}: " if place else ""
        raise ConfigError(f"{self._name}:{mark.line}:{mark.column}: {path}{why}")

    def _mark(self, at: int) -> Mark:
        line = bisect_right(self._lines, at)
        return Mark(line, at - self._lines[line - 1] + 1)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"not valid JSON: {name} is not a number")
