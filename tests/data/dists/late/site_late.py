"""Offers one layout, then raises."""

from pacsfw import Component, hookimpl


@hookimpl
def pacsfw_layouts():
    yield Component(name="never", factory=list)
    raise RuntimeError("after the first")
