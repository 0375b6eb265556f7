"""Convert ``tls``, ``accept`` and ``limits`` of the nodes in ``net`` to records of the API.

Expects sections that match the frame schema, and adds errors in their values to the
problems.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from pacsfw import api
from pacsfw.config.components import ConfigBuilder
from pacsfw.config.document import Document, KeyPath, spell
from pacsfw.config.values import size

NODES = ("local_node", "called_node", "dest_node", "retrieve_node")
EXPIRES_SOON = timedelta(days=30)

_FILES = ("certificate", "key", "ca")
_LONGEST_TITLE = 16


def hide_passwords(document: Document) -> None:
    """Mark the values that are never shown, wherever they came from."""
    for node in NODES:
        place = ("net", node, "tls", "password")
        if isinstance(document.get(place), str | int | float):
            document.secrets.add(place)


def tls(builder: ConfigBuilder, node: str) -> api.Tls | None:
    """Return the encryption settings of a node."""
    place = ("net", node, "tls")
    tree = builder.value(*place)
    if tree is None:
        return None
    for key in _FILES:
        if key in tree:
            _file(builder, (*place, key))
    if builder.problems.at(*place):
        return None
    found = api.Tls(**builder.document.get(place))
    _check_loads(builder, place, found, client=node in ("called_node", "retrieve_node"))
    return found


def accept(builder: ConfigBuilder, node: str) -> api.Accept:
    """Return the senders that a node accepts."""
    place = ("net", node, "accept")
    tree: Mapping[str, Any] = builder.value(*place) or {}
    return api.Accept(
        **{
            **tree,
            "called_aetitles": _titles(tree, "called_aetitles"),
            "calling_aetitles": _titles(tree, "calling_aetitles"),
            "addresses": tuple(_networks(builder, (*place, "addresses"))),
            "known_senders": tuple(_known_senders(builder, (*place, "known_senders"))),
            "transfer_syntaxes": tuple(_uids(builder, (*place, "transfer_syntaxes"))),
        }
    )


def limits(builder: ConfigBuilder, node: str) -> api.Limits:
    """Return the limits of a node for senders."""
    place = ("net", node, "limits")
    tree: dict[str, Any] = dict(builder.value(*place) or {})
    for key in ("associations", "associations_per_address", "minimum_rate"):
        if key in tree:
            tree[key] = int(tree[key])
    if "object_size" in tree:
        tree["object_size"] = size(tree["object_size"])
    found = api.Limits(**tree)
    if found.object_size == 0:
        builder.problems.add((*place, "object_size"), "accepts no instance")
    return found


def tls_warnings(builder: ConfigBuilder, node: str, found: api.Tls | None) -> Iterator[str]:
    """Yield warnings about valid ``tls`` settings that are not secure, or expire soon."""
    from pacsfw.dimse.tls import validities

    if found is None:
        return
    place = ("net", node, "tls")
    if not found.verify:
        yield (
            f"{_where(builder, (*place, 'verify'))}: any certificate is accepted, so anyone can "
            "impersonate the PACS; set ca to the file of its certificate instead"
        )
    if found.profile == "legacy":
        yield (
            f"{_where(builder, (*place, 'profile'))}: the classic TLS profile is weak: what is "
            "sent may be read or changed on the way"
        )
    for key, path in (("certificate", found.certificate), ("ca", found.ca)):
        for validity in validities(Path(path)) if path else ():
            if why := _why_not_valid(validity.begins, validity.ends, datetime.now(UTC)):
                yield f"{_where(builder, (*place, key))}: {path}: {why}"
                break
    key_file = found.key or found.certificate
    if key_file and Path(key_file).stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        key = "key" if found.key else "certificate"
        yield f"{_where(builder, (*place, key))}: {key_file}: other users can read it (chmod go-r)"


def _why_not_valid(begins: datetime, ends: datetime, now: datetime) -> str:
    if now < begins:
        return f"the certificate is valid only from {begins:%Y-%m-%d %H:%M} UTC"
    if now >= ends:
        return f"the certificate expired on {ends:%Y-%m-%d %H:%M} UTC"
    if ends - now < EXPIRES_SOON:
        return f"the certificate expires on {ends:%Y-%m-%d %H:%M} UTC"
    return ""


def _where(builder: ConfigBuilder, place: KeyPath) -> str:
    return f"{builder.document.where(place)}: {spell(place)}"


def _file(builder: ConfigBuilder, place: KeyPath) -> None:
    path = builder.path(place, builder.document.get(place))
    if not builder.problems.at(*place) and not Path(path).is_file():
        builder.problems.add(place, f"{path}: no such file")


def _check_loads(builder: ConfigBuilder, place: KeyPath, found: api.Tls, *, client: bool) -> None:
    """Check that the files have the right content and match each other."""
    from pacsfw.dimse import tls as dimse_tls

    make: Callable[[api.Tls], object]
    make = dimse_tls.client_context if client else dimse_tls.server_context
    for key, path in (("certificate", found.certificate), ("ca", found.ca)):
        try:
            if path and not dimse_tls.validities(Path(path)):
                raise ValueError("contains no certificate (PEM)")
        except (OSError, ValueError) as err:
            why = err.strerror if isinstance(err, OSError) else err
            builder.problems.add((*place, key), f"{path}: {why}")
    if builder.problems.at(*place):
        return
    try:
        make(found)
    except OSError as err:
        key = "key" if found.key else "certificate" if found.certificate else "ca"
        builder.problems.add((*place, key), _why_unusable(err, found.key or found.certificate))


def _why_unusable(err: OSError, key_file: str) -> str:
    if getattr(err, "reason", None) == "KEY_VALUES_MISMATCH":
        return "does not match the certificate"
    if key_file and "ENCRYPTED" in Path(key_file).read_text(encoding="latin-1"):
        return "the password of the key is missing or wrong"
    return "contains no valid private key or certificate (PEM)"


def _titles(tree: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(title.strip(" ") for title in tree.get(key, ()))


def _networks(builder: ConfigBuilder, place: KeyPath) -> Iterator[IPv4Network | IPv6Network]:
    for index, text in enumerate(builder.document.get(place) or ()):
        network = _network(builder, (*place, index), text)
        if network is not None:
            yield network


def _network(builder: ConfigBuilder, place: KeyPath, text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text)
    except ValueError:
        hint = ""
        with suppress(ValueError):
            hint = f" (did you mean {ip_network(text, strict=False)}?)"
        shown = builder.document.shown(place, text)
        why = f"{shown} is not an address or a network such as 10.1.0.0/16{hint}"
        builder.problems.add(place, why)
        return None


def _known_senders(builder: ConfigBuilder, place: KeyPath) -> Iterator[api.KnownSender]:
    for index, text in enumerate(builder.document.get(place) or ()):
        title, _, address = text.rpartition("@")
        title = title.strip(" ")
        if not 1 <= len(title) <= _LONGEST_TITLE:
            builder.problems.add((*place, index), "does not begin with an AE title and @")
            continue
        network = _network(builder, (*place, index), address.strip())
        if network is not None:
            yield api.KnownSender(title, network)


def _uids(builder: ConfigBuilder, place: KeyPath) -> Iterator[str]:
    for index, text in enumerate(builder.document.get(place) or ()):
        if api.is_uid(text):
            yield text
        else:
            shown = builder.document.shown((*place, index), text)
            builder.problems.add((*place, index), f"{shown} is not a UID")
