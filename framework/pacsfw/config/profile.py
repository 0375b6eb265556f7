"""Read a PACS profile, written by `pacsfw probe`, and apply it to the configuration."""

from __future__ import annotations

from typing import Any

from pacsfw import api
from pacsfw.config import files, schemas
from pacsfw.config.checking import check
from pacsfw.config.components import ConfigBuilder
from pacsfw.config.document import Document, KeyPath, Problems
from pacsfw.config.files import Located
from pacsfw.errors import ConfigError
from pacsfw.words import nearest

_CALLED: KeyPath = ("net", "called_node")
_PROFILE: KeyPath = (*_CALLED, "profile")
_MOST: KeyPath = (*_CALLED, "max_associations")

_KEYWORDS = ("returned", "not_returned", "honoured", "ignored", "refused_keys")
_PROVEN = ("wildcards", "ranges", "before_limit")
_OPPOSITES = (("returned", "not_returned"), ("honoured", "ignored"))


def profile(builder: ConfigBuilder) -> api.Profile:
    """Return the profile named by ``net.called_node.profile``; empty if none is named.

    Errors in the file are added to the problems, each with its line in that file.
    """
    text = builder.value(*_PROFILE)
    if text is None:
        return api.Profile()
    path = builder.path(_PROFILE, text)
    if builder.problems.at(*_PROFILE) or not builder.with_profile:
        return api.Profile()
    located = builder.located
    try:
        document = files.read(Located(located.resolve(path), text, located.base, located.home))
        _check(document)
    except ConfigError as err:
        for problem in err.problems:
            builder.problems.add(_PROFILE, problem)
        return api.Profile()
    return _profile(document.tree)


def allowed_associations(configured: int, found: api.Profile) -> int:
    """Return the maximum number of associations: not more than the probed PACS served."""
    return min(configured, found.associations) if found.associations else configured


def profile_warnings(builder: ConfigBuilder, found: api.Net) -> list[str]:
    """Return warnings if the profile is of another PACS, or contradicts the configuration."""
    called = found.called
    if called is None or not called.profile.called:
        return []
    profile, warnings = called.profile, []
    where = f"{builder.document.where(_PROFILE)}: net.called_node.profile"
    probed = (profile.called, profile.ip, profile.port)
    if probed != (called.aetitle, called.ip, called.port):
        warnings.append(
            f"{where}: the profile is of {profile.called} at {profile.ip}:{profile.port}, not of "
            f"{called.aetitle} at {called.ip}:{called.port}; probe this PACS"
        )
    if profile.calling not in ("", found.local.aetitle):
        warnings.append(
            f"{where}: probed as {profile.calling}, but we are {found.local.aetitle}: "
            "the PACS may treat us differently"
        )
    configured = builder.document.get(_MOST)
    if _MOST in builder.document.keys and called.max_associations < configured:
        warnings.append(
            f"{builder.document.where(_MOST)}: net.called_node.max_associations: {configured} is "
            f"more than the PACS serves by its profile: using {called.max_associations}"
        )
    return warnings


def _check(document: Document) -> None:
    """Check form and keywords.

    Raises
    ------
    ConfigError
        With all problems.
    """
    from pydicom.datadict import keyword_dict

    problems = Problems(document)
    check(document, problems, (), document.tree, schemas.profile())
    problems.raise_any()
    for key in (*_KEYWORDS, *_PROVEN):
        for index, keyword in enumerate(document.tree.get(key, [])):
            if keyword not in keyword_dict:
                near = nearest(keyword, keyword_dict)
                problems.add((key, index), f"{keyword!r} is not a DICOM keyword{near}")
    for yes, no in _OPPOSITES:
        for index, keyword in enumerate(document.tree.get(no, [])):
            if keyword in document.tree.get(yes, []):
                problems.add((no, index), f"{keyword!r} is also in {yes}")
    for key in _PROVEN:
        for index, keyword in enumerate(document.tree.get(key, [])):
            if keyword not in document.tree.get("honoured", []):
                problems.add((key, index), f"{keyword!r} is not in honoured")
    problems.raise_any()


def _profile(tree: dict[str, Any]) -> api.Profile:
    called = tree["called"]
    # A schema accepts 104.0 as an integer.
    limit = tree.get("limit")
    return api.Profile(
        probed_at=tree.get("probed_at", ""),
        calling=tree.get("calling", "").strip(" "),
        called=called["aetitle"].strip(" "),
        ip=called["ip"],
        port=int(called["port"]),
        folds_case=tree.get("folds_case"),
        limit=None if limit is None else int(limit),
        rows_seen=int(tree.get("rows_seen", 0)),
        charset=tree.get("charset", ""),
        retrieve_aetitle=tree.get("retrieve_aetitle", "").strip(" "),
        associations=int(tree.get("associations", 0)),
        **{key: frozenset(tree.get(key, [])) for key in ("models", *_KEYWORDS, *_PROVEN)},
    )
