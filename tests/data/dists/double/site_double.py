"""The same name twice."""

from pacsfw import Component, hookimpl


def double(header):
    """One folder."""
    return [f"{header.SOPInstanceUID}.dcm"]


@hookimpl
def pacsfw_layouts():
    yield Component.of(double)
    yield Component.of(double)
