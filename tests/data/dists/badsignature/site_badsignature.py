"""A layout whose schema and factory do not fit together."""

from pacsfw import Component, hookimpl


def layout():
    return lambda header: [header.SOPInstanceUID]


@hookimpl
def pacsfw_layouts():
    schema = {"type": "object", "properties": {"depth": {"type": "integer"}}}
    yield Component(name="bad-signature", factory=layout, schema=schema)
