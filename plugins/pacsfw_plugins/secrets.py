"""Secrets in the configuration: ``${env:}``, ``${file:}`` and ``${keyring:}``."""

from __future__ import annotations

import os
from pathlib import Path

from pacsfw import hookimpl
from pacsfw.errors import ConfigError, PluginError
from pacsfw.regular import open_regular

pacsfw_secret_schemes = ("env", "file", "keyring")
_MAX_FILE = 65_536


@hookimpl
def pacsfw_resolve_secret(scheme: str, reference: str) -> str | None:
    """Resolve the bundled schemes.

    Raises
    ------
    ConfigError
        The variable, file or entry does not exist.
    PluginError
        The package keyring is missing, or cannot be used.
    """
    if scheme == "env":
        if reference not in os.environ:
            raise ConfigError(f"the environment variable {reference} is not set")
        return os.environ[reference]
    if scheme == "file":
        return _file(Path(reference))
    if scheme == "keyring":
        return _keyring(reference)
    return None


def _file(path: Path) -> str:
    """Return the content of a file without its final line end."""
    try:
        with open_regular(path) as file:
            content = file.read(_MAX_FILE + 1)
    except (OSError, ValueError) as err:
        why = getattr(err, "strerror", None) or err
        raise ConfigError(f"the file {path} cannot be read: {why}") from err
    if len(content) > _MAX_FILE:
        raise ConfigError(f"the file {path} is longer than {_MAX_FILE} bytes")
    try:
        return content.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        # Without its cause, which contains the secret.
        raise ConfigError(f"the file {path} is not UTF-8 text") from None


def _keyring(reference: str) -> str:
    service, slash, user = reference.rpartition("/")
    if not (service and slash and user):
        raise ConfigError("a keyring secret is written as ${keyring:service/user}")
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError as err:
        raise PluginError("${keyring:...} needs keyring: pip install 'pacsfw[keyring]'") from err
    try:
        value: str | None = keyring.get_password(service, user)
    except KeyringError as err:
        raise PluginError(f"the keyring cannot be used: {type(err).__name__}") from None
    if value is None:
        raise ConfigError(f"the keyring has no entry {service!r} for {user!r}")
    return value
