"""Convert ``find.filters`` of the tree to `pacsfw.config.model.Filter`.

Messages never repeat a value: it may name a patient.
"""

from __future__ import annotations

from typing import Any

from pacsfw.config.components import ConfigBuilder
from pacsfw.config.document import KeyPath
from pacsfw.config.model import Filter
from pacsfw.dicom.keys import normal
from pacsfw.dicom.levels import LEVEL_OF, vr_of
from pacsfw.dicom.matching import WILDCARD_VRS
from pacsfw.words import nearest

_FILTERS: KeyPath = ("find", "filters")


def filters(builder: ConfigBuilder) -> tuple[Filter, ...]:
    """Return the valid filters; errors are added to the problems."""
    tree = builder.document.get(_FILTERS)
    if not isinstance(tree, dict):
        return ()
    found = []
    for keyword in tree:
        place = (*_FILTERS, keyword)
        if why := _why_not(keyword):
            builder.problems.add(place, f"{keyword!r} {why}", key=True)
        elif builder.value(*place) is not None:
            found.append(_filter(builder, place, keyword))
    return tuple(found)


def _why_not(keyword: str) -> str:
    """Return why studies cannot be filtered by an attribute; empty if they can."""
    if keyword in LEVEL_OF:
        return ""
    from pydicom.datadict import dictionary_VR, keyword_dict

    if keyword not in keyword_dict:
        near = nearest(keyword, LEVEL_OF) or nearest(keyword, keyword_dict)
        return f"is not a DICOM keyword{near}"
    if dictionary_VR(keyword) == "SQ":
        return "is a sequence and has no value to match"
    return "is not an attribute of patients, studies or series, which find queries"


def _filter(builder: ConfigBuilder, place: KeyPath, keyword: str) -> Filter:
    vr = vr_of(keyword)
    condition = builder.value(*place)
    if not isinstance(condition, dict):
        return Filter(
            keyword=keyword, wanted=_texts(builder, place, vr, vr == "PN"), fold=vr == "PN"
        )
    if "ignore_case" in condition and vr not in WILDCARD_VRS:
        why = f"{keyword} ({vr}) is not text and has no case"
        builder.problems.add((*place, "ignore_case"), why)
    fold = condition.get("ignore_case", vr == "PN")
    return Filter(
        keyword=keyword,
        wanted=_texts(builder, (*place, "is"), vr, fold),
        unwanted=_texts(builder, (*place, "not"), vr, fold),
        fold=fold,
    )


def _texts(builder: ConfigBuilder, place: KeyPath, vr: str, fold: bool) -> tuple[str, ...]:
    """Return the matching values at ``place`` as texts; a list of UIDs is split."""
    node = builder.value(*place)
    if node is None:
        return ()
    values = node if isinstance(node, list) else [node]
    texts = []
    for index, value in enumerate(values):
        try:
            text = _text(vr, value)
            parts = text.split("\\") if vr == "UI" else [text]
            texts += [normal(vr, part, fold=fold) for part in parts]
        except ValueError as err:
            hint = "; or set `ignore_case: true`" if vr == "CS" and "upper case" in str(err) else ""
            at = (*place, index) if isinstance(node, list) else place
            builder.problems.add(at, f"{err}{hint}")
    return tuple(dict.fromkeys(texts))


def _text(vr: str, value: Any) -> str:
    # An integer keeps its digits; a number with a point or an exponent may have lost some.
    if isinstance(value, float) and vr != "DS":
        raise ValueError("is a number with a fraction or an exponent; put it in quotes")
    return str(value)
