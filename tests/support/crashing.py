"""A plugin whose callback and layout end their process; loaded as one file."""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path

from pacsfw import Component, hookimpl

SECRET = "Doe^John"
SCHEMA = {
    "type": "object",
    "properties": {"how": {"type": "string"}, "only": {"type": "string"}},
    "additionalProperties": False,
}


class Panic(BaseException):
    """As extensions written in Rust raise it."""


def crash(how):
    if how == "abort":
        os.abort()
    if how == "segfault":
        ctypes.string_at(0)
    if how == "exit":
        os._exit(7)
    if how == "panic":
        raise Panic(SECRET)
    if how.startswith("wait-"):
        waiting = Path(how.removeprefix("wait-")) / "waiting"
        if not waiting.exists():
            draft = waiting.with_name("draft")
            draft.write_text(str(os.getpid()))
            draft.replace(waiting)
            time.sleep(20)


def callback(how="abort", only=""):
    def convert(uid):
        if only in ("", str(uid)):
            crash(how)
        return str(uid)

    return convert


def layout(how="abort", only=""):
    def place(header):
        if only in ("", header.SOPInstanceUID):
            crash(how)
        return [f"{header.SOPInstanceUID}.dcm"]

    return place


@hookimpl
def pacsfw_tag_callbacks():
    yield Component(name="crashing", factory=callback, schema=SCHEMA, returns="text")


@hookimpl
def pacsfw_layouts():
    yield Component(name="crashing-layout", factory=layout, schema=SCHEMA)
