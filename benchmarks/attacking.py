"""Attackers of a receiver: what `bench_attack.py` lets loose on it, in a process of their own.

    python benchmarks/attacking.py PORT TLS_PORT

Half requests, a byte a second, drips of small valid PDUs, silent TLS connections, lengths of
4 GiB with data behind them, idle associations, port scans, garbage. Who is thrown out comes
again a second later. Ends with SIGTERM, and prints how many connections there were.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import os
import random
import signal
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress

from wire_objects import SHAPES, association_request

HALF, SLOW, DRIP, SILENT_TLS, HUGE, IDLE, SCAN = 50, 25, 25, 20, 5, 8, 20
ADDRESSES = ("127.0.0.1", "127.0.0.2")
"""The first is that of the PACS too."""
_AGAIN = 1.0
_PIECE = bytes(1 << 16)
_GARBAGE = [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", os.urandom(64), b"\0"]
_random = random.Random(7)

Attack = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
counts: collections.Counter[str] = collections.Counter()
_request = association_request("PACSFW", SHAPES["small"])


def _p_data(control: int, data: bytes) -> bytes:
    return struct.pack(">BxLLBB", 4, len(data) + 6, len(data) + 2, 1, control) + data


def _store_request() -> bytes:
    elements = {
        0x0002: b"1.2.840.10008.5.1.4.1.1.2\0",
        0x0100: b"\1\0",
        0x0110: b"\7\0",
        0x0800: b"\1\0",
        0x1000: b"1.2.3\0",
    }
    return b"".join(
        struct.pack("<HHL", 0, number, len(value)) + value for number, value in elements.items()
    )


async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_request[: len(_request) // 2])
    await reader.read()


async def slow(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for byte in _request:
        writer.write(bytes((byte,)))
        await writer.drain()
        await asyncio.sleep(1)


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_request)
    await reader.readexactly(10)
    writer.write(_p_data(3, _store_request()))
    while not reader.at_eof():
        writer.write(_p_data(0, b"x"))
        await writer.drain()
        await asyncio.sleep(1)


async def idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_request)
    await reader.read()


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def huge(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(struct.pack(">BxL", _random.choice((1, 4)), 0xFFFFFFFF))
    for _ in range(3200):  # 200 MB
        writer.write(_PIECE)
        await writer.drain()


async def scan(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_random.choice([b"", b"", *_GARBAGE]))
    await writer.drain()


async def repeated(attack: Attack, port: int, address: str) -> None:
    while True:
        with suppress(OSError, EOFError):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, local_addr=(address, 0)
            )
            counts[attack.__name__] += 1
            try:
                await attack(reader, writer)
            finally:
                writer.close()
        await asyncio.sleep(_AGAIN)


async def main() -> None:
    parser = argparse.ArgumentParser(description="Attackers of a receiver.")
    parser.add_argument("port", type=int)
    parser.add_argument("tls_port", type=int)
    options = parser.parse_args()
    wanted = [(half, HALF), (slow, SLOW), (drip, DRIP), (huge, HUGE), (idle, IDLE), (scan, SCAN)]
    every = [(attack, options.port) for attack, many in wanted for _ in range(many)]
    every += [(silent, options.tls_port)] * SILENT_TLS
    tasks = [
        asyncio.ensure_future(repeated(attack, port, ADDRESSES[number % len(ADDRESSES)]))
        for number, (attack, port) in enumerate(every)
    ]
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    await over.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    told = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    with suppress(BrokenPipeError):  # nobody waits for it any more
        print(told, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
