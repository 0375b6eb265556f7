"""A hook with an argument it never gets."""

from pacsfw import hookimpl


@hookimpl
def pacsfw_layouts(config):
    return []
