"""Keywords and tags in the data dictionary (PS3.6 section 6)."""

from __future__ import annotations

from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_dict, repeater_has_keyword

from pacsfw.words import nearest


def tag_of(keyword: str) -> int:
    """Return the tag of a DICOM keyword (PS3.6 section 6) as 0xggggeeee.

    Raises
    ------
    ValueError
        The keyword does not exist; the message suggests the nearest one.
    """
    tag = keyword_dict.get(keyword)
    if tag is not None:
        return tag
    if repeater_has_keyword(keyword):
        raise ValueError(
            f"the DICOM keyword {keyword!r} applies to several elements: "
            "use the tag of one of them, such as (6000,0010)"
        )
    raise ValueError(f"unknown DICOM keyword {keyword!r}{nearest(keyword, keyword_dict)}")


def vr_in_dictionary(tag: int) -> str:
    """Return the value representation of a tag; empty if the dictionary has none."""
    try:
        return str(dictionary_VR(tag))
    except KeyError:
        return ""


def vm_in_dictionary(tag: int) -> str:
    """Return the value multiplicity of a tag, such as ``1-n``; empty if there is none."""
    try:
        return str(dictionary_VM(tag))
    except KeyError:
        return ""
