"""The observer ``email`` and its section: a mail when a run is over (``observers``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import ConfigSection, Observer
from pacsfw.errors import ConfigError
from pacsfw_plugins.observers._recipients import recipients

SECTION = {
    "type": "object",
    "properties": {
        "username": {
            "type": ["string", "null"],
            "description": "The account; without one the server is used as it is.",
        },
        "password": {
            "type": ["string", "null"],
            "writeOnly": True,
            "description": "Its password, best as ${file:path}, ${NAME} or ${keyring:...}.",
        },
        "host": {
            "type": ["string", "null"],
            "description": "The mail server (SMTP); smtp.gmail.com if it is left out.",
        },
        "port": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 65535,
            "description": "Its port; 465, with starttls 587.",
        },
        "starttls": {
            "type": "boolean",
            "description": "true: begin in clear text and switch to TLS, as on port 587. false:"
            " TLS from the first byte, as on port 465.",
        },
        "to": {
            "description": "One address or a list; the account itself if it is left out.",
            "if": {"type": "array"},
            "then": {"minItems": 1, "items": {"$ref": "#/$defs/address"}},
            "else": {"$ref": "#/$defs/address"},
        },
        "sender": {"$ref": "#/$defs/address"},
        "verify": {
            "type": ["boolean", "string"],
            "description": "The file of the CA certificates to trust; true: those of the system.",
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

SCHEMA = {
    "type": "object",
    "properties": {
        "on": {
            "enum": ["always", "failure"],
            "default": "always",
            "description": "failure: only where not all is complete.",
        },
        "commands": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["run", "move"],
            "description": "The commands whose end is told.",
        },
    },
    "additionalProperties": False,
}


@hookimpl
def pacsfw_config_sections() -> Iterable[ConfigSection]:
    """Claim ``email``."""
    yield ConfigSection(
        key="email",
        schema=SECTION,
        summary="the mail server and who is written to",
        observer="email",
    )


@hookimpl
def pacsfw_config_loaded(config: Mapping[str, Any]) -> None:
    """Refuse a section that names nobody to write to, and the observer without a section."""
    section = config.get("email")
    uses = [use.get("use") if isinstance(use, dict) else use for use in config.get("observers", [])]
    if section is None and any(str(use).rpartition("/")[2] == "email" for use in uses):
        raise ConfigError("the section email is missing, and the observer email needs it")
    if section is not None and not recipients(section):
        raise ConfigError("email.to is missing: whom to write to")


@hookimpl
def pacsfw_observers() -> Iterable[Component[Observer]]:
    """Offer ``email``."""
    yield Component(
        name="email",
        factory=lazy("pacsfw_plugins.observers._email:Mailer"),
        schema=SCHEMA,
        summary="a mail with the numbers when a run is over; needs the section email",
    )
