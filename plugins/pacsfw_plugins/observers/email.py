"""The observer ``email`` and its section: a mail at the end of a run (``observers``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import ConfigSection, Observer
from pacsfw.errors import ConfigError
from pacsfw_plugins._options import options

SECTION = {
    "type": "object",
    "properties": {
        "username": {
            "type": ["string", "null"],
            "description": "The account; without it pacsfw does not log in.",
        },
        "password": {
            "type": ["string", "null"],
            "writeOnly": True,
            "description": "The password, best as ${file:path}, ${NAME} or ${keyring:...}.",
        },
        "host": {
            "type": ["string", "null"],
            "description": "The mail server (SMTP); default smtp.gmail.com.",
        },
        "port": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 65535,
            "description": "The port; default 465, with starttls 587.",
        },
        "starttls": {
            "type": "boolean",
            "description": "true: begin unencrypted and switch to TLS, as on port 587. false: TLS"
            " from the first byte, as on port 465.",
        },
        "to": {
            "description": "One address or a list; default: the account.",
            "if": {"type": "array"},
            "then": {"minItems": 1, "items": {"$ref": "#/$defs/address"}},
            "else": {"$ref": "#/$defs/address"},
        },
        "sender": {"$ref": "#/$defs/address"},
        "verify": {
            "type": ["boolean", "string"],
            "description": "A file with the CA certificates to trust; true: those of the system.",
        },
    },
    "additionalProperties": False,
    "$defs": {
        "address": {
            "type": "string",
            "pattern": "^[^@\\s<>,;]+@[^@\\s<>,;]+$",
            "errorMessage": "is not a mail address",
        }
    },
}

SCHEMA = options(
    {
        "on": {
            "enum": ["always", "failure"],
            "default": "always",
            "description": "failure: only if not everything is complete.",
        },
        "commands": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["run", "move"],
            "description": "The commands to report.",
        },
    }
)


def recipients(section: Mapping[str, Any]) -> list[str]:
    """Return the recipients: ``to``, or the account if that is an address."""
    to = section.get("to") or section.get("username") or ""
    return [each for each in ([to] if isinstance(to, str) else to) if "@" in each]


@hookimpl
def pacsfw_config_sections() -> Iterable[ConfigSection]:
    """Claim ``email``."""
    yield ConfigSection(
        key="email",
        schema=SECTION,
        summary="the mail server and the recipients",
        observer="email",
    )


@hookimpl
def pacsfw_config_loaded(config: Mapping[str, Any]) -> None:
    """Refuse a section without a recipient, and the observer without the section."""
    section = config.get("email")
    uses = [use.get("use") if isinstance(use, dict) else use for use in config.get("observers", [])]
    if section is None and any(str(use).rpartition("/")[2] == "email" for use in uses):
        raise ConfigError("the section email is missing; the observer email needs it")
    if section is not None and not recipients(section):
        raise ConfigError("email.to is missing: give at least one recipient")


@hookimpl
def pacsfw_observers() -> Iterable[Component[Observer]]:
    """Offer ``email``."""
    yield Component(
        name="email",
        factory=lazy("pacsfw_plugins.observers._email:Mailer"),
        schema=SCHEMA,
        summary="a mail with the numbers at the end of a run; needs the section email",
    )
