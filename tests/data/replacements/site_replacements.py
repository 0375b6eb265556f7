"""Stands in for every plugin that pacsfw includes: the same names from another distribution."""

import importlib
from dataclasses import replace
from types import SimpleNamespace

from pacsfw import hookimpl
from pacsfw.api import Component

HOOKS = "pacsfw_"


def __getattr__(plugin):
    """Return a stand-in for the bundled plugin module of this name; ``__`` stands for a dot."""
    if plugin.startswith("_"):
        raise AttributeError(plugin)
    module = importlib.import_module("pacsfw_plugins." + plugin.replace("__", "."))
    said = {name: value for name, value in vars(module).items() if name.startswith(HOOKS)}
    return SimpleNamespace(
        **{name: _standing_in(each) if callable(each) else each for name, each in said.items()}
    )


def _standing_in(hook):
    if hook.__name__ == "pacsfw_resolve_secret":

        def resolve(scheme, reference):
            return hook(scheme, reference)

        return _named(hook, resolve)
    if hook.__name__ == "pacsfw_config_loaded":

        def loaded(config):
            hook(config)

        return _named(hook, loaded)

    def offer():
        for each in hook():
            yield replace(each, summary="another") if isinstance(each, Component) else each

    return _named(hook, offer)


def _named(hook, function):
    function.__name__ = hook.__name__
    return hookimpl(function)
