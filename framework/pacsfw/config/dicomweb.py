"""Convert ``net.dicomweb`` of the tree to `pacsfw.api.DicomWeb`.

Expects a section that matches the frame schema, adds errors in its values to the problems,
and returns None if the section is not valid.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from pacsfw import api
from pacsfw.config.components import ConfigBuilder
from pacsfw.config.document import Document, KeyPath, below

_HERE: KeyPath = ("net", "dicomweb")
_AUTHORIZATION = "authorization"


def hide_credentials(document: Document) -> None:
    """Mark the values that are never shown, wherever they came from.

    All headers count: any of them may carry a key.
    """
    for key in ("password", "token", "headers"):
        for place, value in below((*_HERE, key), document.get((*_HERE, key))):
            if isinstance(value, str | int | float):
                document.secrets.add(place)


def dicomweb(builder: ConfigBuilder) -> api.DicomWeb | None:
    """Return ``net.dicomweb``."""
    _check_url(builder)
    _check_credentials(builder)
    verify = builder.value(*_HERE, "verify")
    if isinstance(verify, str):
        verify = _certificates(builder, verify)
    tree = builder.value(*_HERE)
    if tree is None or verify is None:
        return None
    return api.DicomWeb(**{**tree, "verify": verify, "url": tree["url"].rstrip("/")})


def dicomweb_warnings(builder: ConfigBuilder, found: api.DicomWeb | None) -> list[str]:
    """Return warnings about valid settings of ``net.dicomweb`` that are not secure."""
    if found is None:
        return []
    parts = urlsplit(found.url)
    sends = bool(found.token or found.username) or _AUTHORIZATION in map(str.lower, found.headers)
    warnings = []
    if parts.scheme == "http" and sends and not _is_loopback(parts.hostname or ""):
        warnings.append(
            f"{_where(builder, 'url')}: the credentials are sent without encryption; use https"
        )
    if parts.scheme == "https" and found.verify is False:
        warnings.append(
            f"{_where(builder, 'verify')}: any certificate is accepted, so anyone can "
            "impersonate the server; name the file of its CA instead of false"
        )
    return warnings


def _where(builder: ConfigBuilder, key: str) -> str:
    place = (*_HERE, key)
    return f"{builder.document.where(place)}: {'.'.join(map(str, place))}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_url(builder: ConfigBuilder) -> None:
    url = builder.value(*_HERE, "url")
    if url is not None and (why := _why_no_base(url)):
        # The URL is not quoted: it may contain a password.
        builder.problems.add((*_HERE, "url"), why)


def _why_no_base(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isprintable() or " " in url:
        return "is not a URL such as https://pacs.example/dicom-web"
    if "@" in parts.netloc:
        return "contains credentials: use username and password instead"
    if "?" in url or "#" in url:
        return "must end with the path of the service, without '?' or '#'"
    return ""


def _check_credentials(builder: ConfigBuilder) -> None:
    tree = builder.document.get(_HERE)
    if builder.problems.at(*_HERE) or not isinstance(tree, dict):
        return
    ways = [key for key in ("username", "token") if key in tree]
    ways += [f"headers.{key}" for key in tree.get("headers", {}) if key.lower() == _AUTHORIZATION]
    if len(ways) > 1:
        builder.problems.add(
            _HERE, f"{' and '.join(ways)} are mutually exclusive: keep one", key=True
        )


def _certificates(builder: ConfigBuilder, text: str) -> str | None:
    place = (*_HERE, "verify")
    path = builder.path(place, text)
    if not builder.problems.at(*place) and not builder.located.resolve(text).exists():
        builder.problems.add(place, f"{path}: no such file (true and false are not paths)")
    return None if builder.problems.at(*place) else path
