"""The resolved configuration as text, with its secrets masked."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from pacsfw.config.document import MASK, below
from pacsfw.config.model import Config
from pacsfw.config.values import without_password
from pacsfw.config.yaml_text import dump

_SECRET_KEY = re.compile(r"(?i)(?:^|_)(?:password|passwd|secret|token|api_?key)$")


def shown(config: Config) -> str:
    """Return the resolved configuration as YAML that loads as the same configuration.

    Masks values from a secret store or a file, values of keys such as ``password``, and
    passwords in URLs.
    """
    tree: dict[str, Any] = copy.deepcopy(dict(config.raw))
    for place, value in list(below((), config.raw)):
        if place and not isinstance(value, Mapping | list):
            around: Any = tree
            for step in place[:-1]:
                around = around[step]
            secret = place in config.secrets or _SECRET_KEY.search(str(place[-1]))
            around[place[-1]] = MASK if secret else _plain(value)
    return dump(tree)


def _plain(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return without_password(value, MASK).replace("$", "$$")
