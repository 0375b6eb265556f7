"""All extension points of pacsfw, in the order of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import click

    from pacsfw import api

PROJECT = "pacsfw"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def pacsfw_subcommands() -> Iterable[click.Command]:
    """Add commands. Called only for help, and for command names that pacsfw does not have."""
    return ()


@hookspec
def pacsfw_config_sections() -> Iterable[api.ConfigSection]:
    """Claim top-level keys of the configuration."""
    return ()


@hookspec
def pacsfw_cohorts() -> Iterable[api.Component[api.Cohort]]:
    """Offer sources of cohorts (``find.cohort``)."""
    return ()


@hookspec
def pacsfw_query_providers() -> Iterable[api.Component[api.QueryProvider]]:
    """Offer ways to query a PACS (``find.use``)."""
    return ()


@hookspec
def pacsfw_transfers() -> Iterable[api.Component[api.Transfer]]:
    """Offer ways to retrieve instances (``move.use``)."""
    return ()


@hookspec
def pacsfw_layouts() -> Iterable[api.Component[api.Layout]]:
    """Offer storage layouts, also called sorters (``storage.sort_by``)."""
    return ()


@hookspec
def pacsfw_tag_callbacks() -> Iterable[api.Component[api.TagCallback]]:
    """Offer functions that convert a tag's value to a cell (``tags[].callback``)."""
    return ()


@hookspec
def pacsfw_row_callbacks() -> Iterable[api.Component[api.RowCallback]]:
    """Offer functions that make cells from a whole header (``tags[].row_callback``)."""
    return ()


@hookspec
def pacsfw_converters() -> Iterable[api.Component[api.Converter]]:
    """Offer conversions of stored files (``convert``)."""
    return ()


@hookspec
def pacsfw_sinks() -> Iterable[api.Component[api.Sink]]:
    """Offer targets for tables (``storage.resources``, ``storage.resources_meta``, ``sinks``)."""
    return ()


@hookspec
def pacsfw_observers() -> Iterable[api.Component[api.Observer]]:
    """Offer progress displays and notifiers (``observers``)."""
    return ()


@hookspec(firstresult=True)
def pacsfw_resolve_secret(scheme: str, reference: str) -> str | None:
    """Return the value of ``${scheme:reference}``, or None if the scheme is not yours.

    ``pacsfw_secret_schemes = ("vault",)`` in the module declares the schemes; then the plugin is
    imported for these only.
    """


@hookspec
def pacsfw_config_loaded(config: Mapping[str, Any]) -> None:
    """Check the valid configuration; raise ConfigError to reject it.

    It is a copy, with all secrets; a change has no effect.
    """
