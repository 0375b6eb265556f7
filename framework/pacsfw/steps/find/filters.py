"""The configured filters: which ones may be sent as keys, and which rows match them.

pacsfw applies every filter itself; keys sent to the PACS only make the results smaller. So
no key is sent that a PACS may match more narrowly than this module does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pacsfw.api import Profile
from pacsfw.config.model import Filter
from pacsfw.dicom.levels import LEVEL_OF, REQUIRED_STUDY_KEYS, vr_of
from pacsfw.dicom.matching import matches
from pacsfw.dicom.vr import SINGLE_VALUED

_STUDY_UID = "StudyInstanceUID"
_AXES = frozenset({"StudyDate", "StudyTime"})
"""Keys that the planner sets itself."""
_COMPARED_HERE = frozenset({"PN", "IS", "DS"})
"""VRs that PACS compare differently: case, accents, component groups and trailing delimiters
of names (PS3.4 C.2.2.2.1), numbers as text."""


def study_filters(filters: Iterable[Filter]) -> tuple[Filter, ...]:
    """Return the filters on attributes of patients and studies."""
    return tuple(each for each in filters if LEVEL_OF[each.keyword] != "SERIES")


def series_filters(filters: Iterable[Filter]) -> tuple[Filter, ...]:
    """Return the filters on attributes of series."""
    return tuple(each for each in filters if LEVEL_OF[each.keyword] == "SERIES")


def accepts(filters: Iterable[Filter], attributes: Mapping[str, str]) -> bool:
    r"""Return whether every filter matches.

    Parameters
    ----------
    attributes
        Keyword to text, ``\`` between several values. An absent or empty attribute matches no
        value, not even ``*``, neither wanted nor unwanted.
    """
    return all(
        (not each.wanted or _any(each.wanted, each, attributes))
        and not _any(each.unwanted, each, attributes)
        for each in filters
    )


def capitals_decide(filters: Sequence[Filter], attributes: Mapping[str, str]) -> str:
    """Return the keyword of the first filter that case or accents alone decide, or ""."""
    for each in filters:
        folded = replace(each, fold=True)
        if not each.fold and accepts([each], attributes) != accepts([folded], attributes):
            return each.keyword
    return ""


def accepts_series(filters: Sequence[Filter], series_rows: Iterable[Mapping[str, str]]) -> bool:
    """Return whether one series of a study has all wanted values, and no series an unwanted one.

    ``filters`` are those on attributes of series.
    """
    wanted = [each for each in filters if each.wanted]
    has_wanted = not wanted
    for row in series_rows:
        if any(_any(each.unwanted, each, row) for each in filters):
            return False
        has_wanted = has_wanted or all(_any(each.wanted, each, row) for each in wanted)
    return has_wanted


def _any(patterns: Iterable[str], of: Filter, attributes: Mapping[str, str]) -> bool:
    text = attributes.get(of.keyword, "")
    return any(matches_text(of.keyword, pattern, text, fold=of.fold) for pattern in patterns)


def matches_text(keyword: str, pattern: str, text: str, *, fold: bool) -> bool:
    """Return whether the text of an attribute matches; an empty text matches nothing."""
    if not text:
        return False
    vr = vr_of(keyword)
    values = [text] if vr in SINGLE_VALUED else text.split("\\")
    return any(values) and matches(vr, pattern, values, fold=fold)


def pushed(filters: Iterable[Filter], profile: Profile) -> list[dict[str, str]]:
    """Return matching keys of STUDY queries, as alternatives that together find everything.

    Several alternatives may find the same study. StudyDate and StudyTime are not among the
    keys: the planner sets them.

    Parameters
    ----------
    filters
        Filters on series, exclusions, and filters that ignore case and accents are not sent.
    profile
        Optional keys are sent only if the PACS applies them before any limit of rows.

    Returns
    -------
    list of dict
        At least one; ``[{}]`` if nothing can be sent. At most one key has different values in
        them: the UIDs, or otherwise the shortest list. Each value has its own query, because a
        PACS without support for lists of UIDs silently answers for a part of the list.
    """
    fixed: dict[str, str] = {}
    choices: dict[str, list[str]] = {}
    for each in filters:
        values = list(each.wanted)
        if not each.fold and values and all(may_send(each.keyword, v, profile) for v in values):
            choices[each.keyword] = values
    for keyword in [keyword for keyword, values in choices.items() if len(values) == 1]:
        fixed[keyword] = choices.pop(keyword)[0]
    if not choices:
        return [fixed]
    # UIDs first: they are the most specific.
    best = min(choices, key=lambda keyword: (keyword != _STUDY_UID, len(choices[keyword])))
    return [{**fixed, best: value} for value in choices[best]]


def may_send(keyword: str, value: str, profile: Profile) -> bool:
    """Return whether a STUDY query may contain this key without losing matching studies.

    Never sent are names and numbers, which PACS compare differently; letters beyond ASCII and
    ``?``, which depend on the character sets on both sides; lists; a value of only ``*``; and
    keys that the PACS is known to ignore.
    """
    is_matched = (
        keyword in REQUIRED_STUDY_KEYS or keyword == _STUDY_UID or keyword in profile.before_limit
    )
    return (
        is_matched
        and keyword not in profile.ignored
        and keyword not in _AXES
        and LEVEL_OF[keyword] != "SERIES"
        and vr_of(keyword) not in _COMPARED_HERE
        and value.isascii()
        and not set(value) & set("?\\")
        and value.strip("*") != ""
    )
