"""Offers a function where a component is wanted."""

from pacsfw import hookimpl


@hookimpl
def pacsfw_layouts():
    yield lambda header: ["x"]
