"""A hook that does not exist."""

from pacsfw import hookimpl


@hookimpl
def pacsfw_layout():
    return []
