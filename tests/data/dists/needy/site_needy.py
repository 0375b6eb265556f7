"""A layout that needs a module of an extra."""

from pacsfw import Component, hookimpl


@hookimpl
def pacsfw_layouts():
    yield Component(name="needy", factory=list, requires=("a_missing_module[sorting]",))
