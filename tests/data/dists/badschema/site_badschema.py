"""A layout with a schema that is none."""

from pacsfw import Component, hookimpl


@hookimpl
def pacsfw_layouts():
    yield Component(name="bad-schema", factory=list, schema={"type": "lisst"})
