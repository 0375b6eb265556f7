"""Convert the ``net`` section of the tree to `pacsfw.api.Net`.

Expects a section that matches the frame schema, adds errors in its values to the problems,
and returns None if the section is not valid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pacsfw import api
from pacsfw.config import listener
from pacsfw.config.components import ConfigBuilder
from pacsfw.config.dicomweb import dicomweb, dicomweb_warnings
from pacsfw.config.document import KeyPath
from pacsfw.config.profile import allowed_associations, profile, profile_warnings
from pacsfw.words import nearest

_LOOPBACK = ("localhost", "127.", "::1")


def net(builder: ConfigBuilder) -> api.Net | None:
    """Return the ``net`` section; ``dest`` is the local node by default."""
    place = ("net", "called_node", "charset")
    if (charset := builder.value(*place)) is not None:
        _check_charset(builder, place, charset)
    web = dicomweb(builder)
    found = profile(builder)
    guards = {node: _guards(builder, node) for node in listener.NODES}
    tree = builder.value("net")
    if tree is None:
        return None
    local = _node(tree["local_node"], guards["local_node"])
    # The same node under another AE title: it inherits the settings it does not repeat.
    inherited = {**guards["local_node"], **guards["dest_node"]}
    called = _called(tree, guards["called_node"], found) if "called_node" in tree else None
    return api.Net(
        local=local,
        called=called,
        retrieve=_retrieve(tree, guards["retrieve_node"], called),
        dest=_node(tree["dest_node"], inherited) if "dest_node" in tree else local,
        dicomweb=web,
    )


def _guards(builder: ConfigBuilder, node: str) -> dict[str, Any]:
    """Return the settings of a node for encryption, access and limits, as far as given."""
    makers = {"tls": listener.tls, "accept": listener.accept, "limits": listener.limits}
    return {
        key: make(builder, node)
        for key, make in makers.items()
        if builder.document.get(("net", node, key)) is not None
    }


def _called(tree: dict[str, Any], guards: dict[str, Any], found: api.Profile) -> api.Node:
    called = tree["called_node"]
    most = allowed_associations(called["max_associations"], found)
    return replace(_node(called, {**guards, "profile": found}), max_associations=int(most))


def _retrieve(
    tree: dict[str, Any], guards: dict[str, Any], called: api.Node | None
) -> api.Node | None:
    """Return the node to retrieve from: the called one, with what differs."""
    if "retrieve_node" not in tree or called is None:
        return None
    given = dict(tree["retrieve_node"])
    if "aetitle" in given:
        given["aetitle"] = given["aetitle"].strip(" ")
    if "port" in given:
        given["port"] = int(given["port"])
    return replace(called, **{**given, **guards})


def _node(tree: dict[str, Any], more: dict[str, Any]) -> api.Node:
    # A schema accepts 104.0 as an integer, a socket does not.
    whole = {key: int(value) if isinstance(value, float) else value for key, value in tree.items()}
    whole |= more
    # Surrounding spaces are not part of an AE title (PS3.5 section 6.2, AE).
    return api.Node(**{**whole, "aetitle": tree["aetitle"].strip(" ")})


def _check_charset(builder: ConfigBuilder, place: KeyPath, charset: str) -> None:
    from pydicom.charset import python_encoding

    known = sorted(name for name in python_encoding if name)
    for part in charset.split("\\"):
        if part and part not in known:
            shown = builder.document.shown(place, part)
            near = nearest(part, known)
            builder.problems.add(place, f"{shown} is not a DICOM Specific Character Set{near}")


def net_warnings(builder: ConfigBuilder, found: api.Net | None) -> list[str]:
    """Return warnings about valid settings of ``net`` that will not work, or are not secure."""
    if found is None:
        return []
    return [
        *_address_warnings(builder, found),
        *_tls_warnings(builder, found),
        *profile_warnings(builder, found),
        *dicomweb_warnings(builder, found.dicomweb),
    ]


def _tls_warnings(builder: ConfigBuilder, found: api.Net) -> Iterator[str]:
    for node, meant in zip(
        listener.NODES, (found.local, found.called, found.dest, found.retrieve), strict=True
    ):
        # Settings that dest_node inherits are warned of at their own place.
        if meant is not None and builder.document.get(("net", node, "tls")) is not None:
            yield from listener.tls_warnings(builder, node, meant.tls)


def _address_warnings(builder: ConfigBuilder, found: api.Net) -> list[str]:
    if found.called is None or found.dest is None:
        return []
    called, dest = found.called, found.dest
    here = called.ip.startswith(_LOOPBACK) or called.ip in {dest.ip, dest.bind}
    if not here or called.port != dest.port:
        return []
    key = "dest_node" if "dest_node" in builder.document.tree["net"] else "local_node"
    place = ("net", key, "port")
    where = f"{builder.document.where(place)}: {'.'.join(place)}"
    taken = f"{called.ip}:{called.port} is the address of called_node"
    return [f"{where}: {taken}; we cannot listen there as well, so nothing will arrive"]
