"""Damage the bytes of DICOM files as disks, networks and other programs do."""

from __future__ import annotations

import random

_INTERESTING = (
    b"\0",
    b"\xff",
    b"  ",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\xfe\xff\x0d\xe0\0\0\0\0",
)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return the bytes with one to three faults, most of them in the header."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        data = chance.choice(_KINDS)(data, chance)
    return data


def _place(data: bytes, chance: random.Random) -> int:
    end = min(len(data), 4096) if chance.random() < 0.9 else len(data)
    return chance.randrange(min(132, end - 1), end)


def _flip(data: bytes, chance: random.Random) -> bytes:
    at = _place(data, chance)
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def _overwrite(data: bytes, chance: random.Random) -> bytes:
    at, what = _place(data, chance), chance.choice(_INTERESTING)
    return data[:at] + what + data[at + len(what) :]


def _insert(data: bytes, chance: random.Random) -> bytes:
    at = _place(data, chance)
    return data[:at] + chance.choice(_INTERESTING) + data[at:]


def _delete(data: bytes, chance: random.Random) -> bytes:
    at = _place(data, chance)
    return data[:at] + data[at + chance.choice((1, 2, 4, 8, 100)) :]


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: _place(data, chance) + 1]


def _repeat(data: bytes, chance: random.Random) -> bytes:
    at = _place(data, chance)
    size = chance.choice((8, 20, 64, 200))
    return data[: at + size] + data[at:]


def _move(data: bytes, chance: random.Random) -> bytes:
    one, other = sorted((_place(data, chance), _place(data, chance)))
    size = chance.choice((8, 16, 40))
    return data[:one] + data[one + size : other] + data[one : one + size] + data[other:]


def _zero(data: bytes, chance: random.Random) -> bytes:
    at = _place(data, chance)
    size = chance.choice((16, 512, 1 << 20))
    return data[:at] + bytes(len(data[at : at + size])) + data[at + size :]


_KINDS = (_flip, _flip, _flip, _overwrite, _insert, _delete, _cut, _repeat, _move, _zero)
