"""A plugin that misbehaves as its options say: ``how`` it fails, ``at`` which method.

It is loaded as one file; its name is ``misbehaving``.
"""

from __future__ import annotations

import os
import sys
import time

from pacsfw import Component, hookimpl
from pacsfw.api import (
    Converter,
    Observer,
    Outcome,
    OutputFile,
    QueryProvider,
    QueryResult,
    Sink,
    Transfer,
)

SECRET = "Doe^John"
SCHEMA = {
    "type": "object",
    "properties": {
        "how": {"type": "string"},
        "at": {"type": "string"},
        "path": {"type": "string"},
        "only": {"type": "string", "description": "fail only for this study"},
    },
    "additionalProperties": False,
}


class Panic(BaseException):
    """As extensions written in Rust raise it."""


def misbehave(how):
    if how == "raise":
        raise KeyError(SECRET)
    if how == "exit":
        sys.exit(5)
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "panic":
        raise Panic(SECRET)
    if how == "retry-where-it-is-not-allowed":
        from pacsfw.errors import Retry

        raise Retry(SECRET)
    if how == "abort":
        os.abort()
    if how == "hang":
        time.sleep(1000)
    if how == "print":
        print("a plugin prints", flush=True)


class Misbehaving:
    """What all have in common."""

    def __init__(self, how="raise", at="", path="", only=""):
        self.how, self.at, self.path, self.only = how, at, path, only

    def do(self, method, study=""):
        """Misbehave in this method; return what the method must not return."""
        if self.at == method and (not self.only or study == self.only):
            misbehave(self.how)
            return {"none": None, "number": 7, "text": "text", "tuple": (1, 2, 3)}.get(
                self.how, self
            )
        return self

    def open(self, context):
        self.do("open")
        if self.how == "log":
            context.log.info("opened \x1b[31m")
            context.log.warning("careful")

    def close(self):
        self.do("close")


class Query(Misbehaving, QueryProvider):
    """Finds nothing; `move` asks it for series and instances."""

    def ask(self, query, emit):
        wrong = self.do("ask", query.match.get("StudyInstanceUID", ""))
        if self.at == "emit":
            emit(self.how)
        if wrong is not self:
            return wrong
        return QueryResult(complete=True, status_text="read to the end")


class Fetching(Misbehaving, Transfer):
    """Fetches nothing."""

    def expects(self):
        wrong = self.do("expects")
        return None if wrong is self else wrong

    def fetch(self, request, inbox):
        wrong = self.do("fetch", request.study_uid)
        return Outcome(status=0, status_text="nothing done") if wrong is self else wrong


class Delivering(Misbehaving, Sink):
    """Keeps the keys of the studies that it was given, one per line."""

    def has(self, table):
        wrong = self.do("has")
        return True if wrong is self else wrong

    def begin(self, table):
        self.do("begin")

    def deliver(self, batch):
        self.do("deliver", batch.key)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(f"{batch.key}\n")

    def position(self):
        wrong = self.do("position")
        return 0 if wrong is self else wrong

    def mark(self, table, position):
        wrong = self.do("mark")
        return "" if wrong is self else wrong


class Unreadable(Delivering):
    """Claims a suffix, and cannot be the study list."""


class Converting(Misbehaving, Converter):
    """Writes one file for an instance."""

    def convert(self, files, out):
        wrong = self.do("convert", files[0].study_uid)
        if wrong is not self:
            return wrong
        path = out / f"{files[0].sop_uid}.txt"
        path.write_text("made")
        return [OutputFile(path=path, media_type="text/plain", sources=(files[0].sop_uid,))]


class Observing(Misbehaving, Observer):
    """Watches."""

    def notify(self, event):
        self.do("notify")


class Strange:
    """Derives from nothing."""

    def __init__(self, **options):
        pass


def layout(how="raise", at="", path="", only=""):
    behaviour = Misbehaving(how, at, path, only)

    def place(header):
        wrong = behaviour.do("call", header.StudyInstanceUID)
        return [f"{header.SOPInstanceUID}.dcm"] if wrong is behaviour else wrong

    return place


def callback(how="raise", at="", path="", only=""):
    def convert(value):
        misbehave(how)
        return value

    return convert


def offered(name, factory, **more):
    return Component(name=name, factory=factory, schema=SCHEMA, summary="misbehaves", **more)


@hookimpl
def pacsfw_query_providers():
    yield offered("wrong-query", Query)
    yield offered("strange-query", Strange)


@hookimpl
def pacsfw_transfers():
    yield offered("wrong-transfer", Fetching)
    yield offered("strange-transfer", Strange)


@hookimpl
def pacsfw_layouts():
    yield offered("wrong-layout", layout)


@hookimpl
def pacsfw_tag_callbacks():
    yield offered("wrong-callback", callback)


@hookimpl
def pacsfw_sinks():
    yield offered("wrong-sink", Delivering, multi_table=True)
    yield offered("unreadable", Unreadable, accepts=(".unreadable",))
    yield offered("strange-sink", Strange)


@hookimpl
def pacsfw_converters():
    yield offered("wrong-converter", Converting)
    yield offered("strange-converter", Strange)


@hookimpl
def pacsfw_observers():
    yield offered("wrong-observer", Observing)
    yield offered("strange-observer", Strange)
