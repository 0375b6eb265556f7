"""A function where a command is wanted."""

from pacsfw import hookimpl


@hookimpl
def pacsfw_subcommands():
    yield print
