"""Wording of numbers, verdicts and foreign text, for screens and messages."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

GOOD = ("complete", "complete-by-count", "complete-count-disagrees", "complete-and-more")
"""Verdicts that need nobody's attention; such a study is not asked for again."""

VERDICTS = {
    "complete": "complete",
    "complete-by-count": "complete by count",
    "complete-count-disagrees": "complete, count disagrees",
    "complete-and-more": "complete, and more came",
    "short": "short",
    "over": "more than expected",
    "unverifiable": "cannot be verified",
    "failed": "failed",
    "pending": "not finished",
}
"""Every verdict, and ``pending`` for none, with its wording, in the order of tables."""


def count(number: int, noun: str) -> str:
    """Return ``1 study``, ``1,204 studies``."""
    if number != 1:
        noun = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun}"


def amount(instances: int, size: int) -> str:
    """Return a number of instances and their bytes: ``512 instances, 268.4 MB``."""
    from rich.filesize import decimal  # deferred: every plugin may import this module

    return f"{count(instances, 'instance')}, {decimal(size)}"


def printable(text: str) -> str:
    """Return text that cannot move the cursor, colour the screen or begin a line.

    Reasons may quote text of a peer (Error Comment, PS3.7 section C.4.1.1.2).
    """
    return "".join(character if character.isprintable() else "?" for character in text)


def encodable(text: str) -> str:
    r"""Return a text with ``\udcXX`` for each half of a surrogate pair, as UTF-8 has none."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def said(text: str, sent: Iterable[str] = (), *, longest: int = 200) -> str:
    """Return the words of a peer for a terminal: one line, cut to size, without values sent.

    Parameters
    ----------
    sent
        The values of the request, which may name a patient and come back in the text.
    longest
        Maximum number of characters.
    """
    parts = {part for value in sent for part in _parts(value)}
    for part in sorted(parts, key=len, reverse=True):
        text = re.sub(re.escape(part), "***", text, flags=re.IGNORECASE)
    text = printable(" ".join(text.split()))
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _parts(value: str) -> Iterable[str]:
    """Return a value and its parts; not single characters, which occur in every text."""
    parts = (value, *re.split(r"[\\^=*?]", value))
    return (part.strip() for part in parts if len(part.strip()) > 1)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean ...?)`` for the nearest known word, or nothing."""
    folded = {each.lower(): each for each in sorted(known)}
    near = difflib.get_close_matches(word.lower(), folded, 1)
    return f" (did you mean {folded[near[0]]!r}?)" if near else ""
