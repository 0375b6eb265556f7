"""Callbacks that worker processes can import."""

from __future__ import annotations


def shout(value) -> str:
    return f"{value}!"


def explode(value) -> str:
    raise ValueError(value)


def halves(value) -> list:
    return ["\udcff", "ä", None]
