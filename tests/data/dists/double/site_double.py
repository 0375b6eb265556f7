"""The same name twice."""

from pacsfw import Component, hookimpl


@hookimpl
def pacsfw_layouts():
    yield Component(name="double", factory=list)
    yield Component(name="double", factory=tuple)
