"""Every extension point of pacsfw, in the order a run reaches them."""

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
    """Add commands; asked only for help and for a name that pacsfw does not know."""
    return ()


@hookspec
def pacsfw_config_sections() -> Iterable[api.ConfigSection]:
    """Claim top-level keys of the configuration."""
    return ()


@hookspec
def pacsfw_query_providers() -> Iterable[api.Component[api.QueryProvider]]:
    """Offer ways to ask what a PACS holds (``find.use``)."""
    return ()


@hookspec
def pacsfw_transfers() -> Iterable[api.Component[api.Transfer]]:
    """Offer ways to bring objects over (``move.use``)."""
    return ()


@hookspec
def pacsfw_layouts() -> Iterable[api.Component[api.Layout]]:
    """Offer storage layouts, also called sorters (``storage.sort_by``)."""
    return ()


@hookspec
def pacsfw_tag_callbacks() -> Iterable[api.Component[api.TagCallback]]:
    """Offer functions from a tag's value to a cell (``tags[].callback``)."""
    return ()


@hookspec
def pacsfw_converters() -> Iterable[api.Component[api.Converter]]:
    """Offer conversions of stored files (``convert``)."""
    return ()


@hookspec
def pacsfw_sinks() -> Iterable[api.Component[api.Sink]]:
    """Offer places for tables (``storage.resources``, ``storage.resources_meta``, ``sinks``)."""
    return ()


@hookspec
def pacsfw_observers() -> Iterable[api.Component[api.Observer]]:
    """Offer progress displays and notifiers (``observers``)."""
    return ()


@hookspec(firstresult=True)
def pacsfw_resolve_secret(scheme: str, reference: str) -> str | None:
    """Turn ``${scheme:reference}`` into its value, or None where the scheme is not yours."""


@hookspec
def pacsfw_config_loaded(config: Mapping[str, Any]) -> None:
    """Look at the valid configuration; raise ConfigError to refuse it."""
