"""A layout that cannot be made."""

from pacsfw import Component, hookimpl


def layout():
    raise RuntimeError("no licence")


@hookimpl
def pacsfw_layouts():
    yield Component(name="bad-factory", factory=layout)
