"""The plugin of our hospital. The components themselves are in the other modules."""

from __future__ import annotations

from collections.abc import Iterator

import click

from pacsfw import Component, hookimpl
from pacsfw.api import ConfigSection, Layout, Sink, TagCallback
from site_example import layout, registry, report
from site_example.callbacks import b_value


@hookimpl
def pacsfw_layouts() -> Iterator[Component[Layout]]:
    """Offer ``by-project``."""
    yield Component(
        name="by-project",
        factory=layout.ByProject,
        schema=layout.SCHEMA,
        summary="project, pseudonym, study and series",
    )


@hookimpl
def pacsfw_tag_callbacks() -> Iterator[Component[TagCallback]]:
    """Offer ``b-value``."""
    yield Component.of(b_value, name="b-value")


@hookimpl
def pacsfw_sinks() -> Iterator[Component[Sink]]:
    """Offer ``registry``."""
    yield Component(
        name="registry", factory=registry.RegistrySink, summary="the registry of our projects"
    )


@hookimpl
def pacsfw_config_sections() -> Iterator[ConfigSection]:
    """Claim ``site``."""
    yield ConfigSection(
        key="site",
        schema={
            "type": "object",
            "properties": {
                "project": {"type": "string", "pattern": "^[a-z0-9-]+$"},
                "database": {"type": "string", "minLength": 1},
            },
            "required": ["project", "database"],
            "additionalProperties": False,
        },
        summary="our project and the database of its registry",
    )


@hookimpl
def pacsfw_subcommands() -> Iterator[click.Command]:
    """Add ``pacsfw site-report``."""
    yield report.command
