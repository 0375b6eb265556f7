"""Reading a PACS profile, as `pacsfw probe` writes it, and holding the configuration to it."""

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

_KEYWORDS = ("returned", "not_returned", "honoured", "ignored")
_PROVEN = ("wildcards", "ranges", "before_limit")
_OPPOSITES = (("returned", "not_returned"), ("honoured", "ignored"))


def profile(builder: ConfigBuilder) -> api.Profile:
    """Return the profile that ``net.called_node.profile`` names, an empty one without it.

    What is wrong with the file is added to the problems, each with the line in that file.
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
    """Return how many associations may be open: no more than the PACS was seen to serve."""
    return min(configured, found.associations) if found.associations else configured


def profile_warnings(builder: ConfigBuilder, found: api.Net) -> list[str]:
    """Return where the profile is not that of this PACS, or contradicts the configuration."""
    called = found.called
    if called is None or not called.profile.called:
        return []
    profile, warnings = called.profile, []
    where = f"{builder.document.where(_PROFILE)}: net.called_node.profile"
    probed = (profile.called, profile.ip, profile.port)
    if probed != (called.aetitle, called.ip, called.port):
        warnings.append(
            f"{where}: it is that of {profile.called} at {profile.ip}:{profile.port}, not of "
            f"{called.aetitle} at {called.ip}:{called.port}; probe this PACS"
        )
    if profile.calling not in ("", found.local.aetitle):
        warnings.append(
            f"{where}: it was found out as {profile.calling}, and we are {found.local.aetitle}: "
            "the PACS may treat us in another way"
        )
    configured = builder.document.get(_MOST)
    if _MOST in builder.document.keys and called.max_associations < configured:
        warnings.append(
            f"{builder.document.where(_MOST)}: net.called_node.max_associations: {configured} is "
            f"more than the PACS serves, says its profile: {called.max_associations} are used"
        )
    return warnings


def _check(document: Document) -> None:
    """Check form and keywords.

    Raises
    ------
    ConfigError
        With everything that is wrong.
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
                problems.add((no, index), f"{keyword!r} is among {yes} as well")
    for key in _PROVEN:
        for index, keyword in enumerate(document.tree.get(key, [])):
            if keyword not in document.tree.get("honoured", []):
                problems.add((key, index), f"{keyword!r} is not among honoured")
    problems.raise_any()


def _profile(tree: dict[str, Any]) -> api.Profile:
    called = tree["called"]
    # A schema takes 104.0 for an integer.
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
        associations=int(tree.get("associations", 0)),
        **{key: frozenset(tree.get(key, [])) for key in ("models", *_KEYWORDS, *_PROVEN)},
    )
