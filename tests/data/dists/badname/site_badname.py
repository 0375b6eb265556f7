"""A name that nobody can select."""

from pacsfw import Component, hookimpl


@hookimpl
def pacsfw_layouts():
    yield Component(name="by/year", factory=list)
