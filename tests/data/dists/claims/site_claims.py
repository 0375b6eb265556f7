"""A sink that claims what another one has."""

from pacsfw import Component, hookimpl
from pacsfw.api import Sink


class Other(Sink):
    def __init__(self, path):
        self.path = path

    def deliver(self, batch):
        """Lose it."""


PATH = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}


@hookimpl
def pacsfw_sinks():
    yield Component(name="other-csv", factory=Other, schema=PATH, accepts=(".csv",))
    yield Component(name="text-claims", factory=Other, schema=PATH, accepts=".csv")
