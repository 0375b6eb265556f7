"""Plugins that load well and fail at work."""

import threading

from pacsfw import Component, hookimpl
from pacsfw.api import Converter, Observer, QueryProvider, Sink, Transfer

PATH = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}


def raises(value):
    """Fail, quoting the value."""
    raise ValueError(value)


def leaves(value):
    """Try to end the worker process."""
    raise SystemExit(3)


def hangs(value):
    """Never return."""
    threading.Event().wait(600)


def hostile(header):
    """Names that are to lead out of the archive; one object that has none."""
    if header.InstanceNumber == 2:
        raise KeyError(header.PatientName)
    return ["/", "..", "etc/passwd", "\0", header.SOPInstanceUID]


class Halfway(Sink):
    """Fails at the second study."""

    def __init__(self, path):
        self.path, self.taken = path, 0

    def deliver(self, batch):
        self.taken += 1
        if self.taken > 1:
            raise RuntimeError(batch.rows)


class Closed(Sink):
    """Cannot be opened."""

    def __init__(self, path):
        self.path = path

    def open(self, context):
        raise PermissionError

    def deliver(self, batch):
        """Never called."""


class Loud(Observer):
    """Raises whatever it is told."""

    def notify(self, event):
        raise RuntimeError(event)


class Lazy(Converter):
    """Names a file that it does not write."""

    def convert(self, files, out):
        raise LookupError(files[0].path)


class Asking(QueryProvider):
    """Cannot ask."""

    def ask(self, query, emit):
        raise LookupError(query)


class Dropping(Transfer):
    """Cannot fetch."""

    def expects(self):
        return "cfind", {}

    def fetch(self, request, inbox):
        raise LookupError(request)


@hookimpl
def pacsfw_tag_callbacks():
    for callback in (raises, leaves, hangs):
        yield Component.of(callback)


@hookimpl
def pacsfw_layouts():
    yield Component.of(hostile)


@hookimpl
def pacsfw_sinks():
    yield Component(name="halfway", factory=Halfway, schema=PATH)
    yield Component(name="closed", factory=Closed, schema=PATH)


@hookimpl
def pacsfw_observers():
    yield Component(name="loud", factory=Loud)


@hookimpl
def pacsfw_converters():
    yield Component(name="lazy", factory=Lazy, scope="study")


@hookimpl
def pacsfw_query_providers():
    yield Component(name="asking", factory=Asking)


@hookimpl
def pacsfw_transfers():
    yield Component(name="dropping", factory=Dropping)
