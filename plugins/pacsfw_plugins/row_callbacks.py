"""The bundled row callbacks (``tags[].row_callback``): columns made from several attributes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from pacsfw import Component, hookimpl
from pacsfw.api import Header, RowCallback
from pacsfw.convert import agestr2years, str2datetime

_STUDY_DATES = ("StudyDate", "AcquisitionDate")


@hookimpl
def pacsfw_row_callbacks() -> Iterable[Component[RowCallback]]:
    """Offer the age of the patient, localizers, and the geometry of slices."""
    yield Component.of(patient_age, name="patient-age")
    yield Component.of(is_localizer, name="is-localizer")
    yield Component.of(slice_geometry, name="slice-geometry")


class PatientAge(NamedTuple):
    """The age of a patient at the study."""

    patient_age: float | None
    """Years."""
    patient_age_from: str | None
    """``PatientAge``, or the two dates that it is calculated from."""


def patient_age(header: Header) -> PatientAge:
    """Age in years, by PatientAge, or else by PatientBirthDate and the date of the study.

    PatientAge (0010,1010) is an attribute of the study (PS3.3 section C.7.2.2), which stays when
    dates are removed or shifted; so it takes precedence. Otherwise the age is the number of
    birthdays up to StudyDate or, without one, AcquisitionDate, and the fraction of the year
    since the last birthday. An empty cell if the instance has neither.
    """
    if age := _text(header, "PatientAge"):
        return PatientAge(agestr2years(age), "PatientAge")
    day = next((keyword for keyword in _STUDY_DATES if _text(header, keyword)), "")
    birth = _text(header, "PatientBirthDate")
    if not birth or not day:
        return PatientAge(None, None)
    years = _years(str2datetime(birth).date(), str2datetime(_text(header, day)).date())
    return PatientAge(years, f"PatientBirthDate, {day}")


def _years(birth: date, day: date) -> float:
    if day < birth:
        raise ValueError("the study is before the birth of the patient")
    years = day.year - birth.year
    if _birthday(birth, day.year) > day:
        years -= 1
    last, following = (_birthday(birth, birth.year + each) for each in (years, years + 1))
    return years + (day - last).days / (following - last).days


def _birthday(birth: date, year: int) -> date:
    """Return the birthday in a year; that of 29 February is 1 March in common years."""
    try:
        return birth.replace(year=year)
    except ValueError:
        return date(year, 3, 1)


def is_localizer(header: Header) -> bool | None:
    """Whether ImageType says LOCALIZER (PS3.3 sections C.8.2.1.1.1 and C.8.16.1.3).

    Values 1 and 2 of ImageType (0008,0008) are about the pixels and the examination (PS3.3
    section C.7.6.1.1.2); an instance with nothing else does not say what it shows: an empty cell.
    """
    values = [value.strip() for value in _several(header, "ImageType")]
    return "LOCALIZER" in values[2:] if len(values) > 2 else None


class SliceGeometry(NamedTuple):
    """Sizes in the patient, in mm and mm3."""

    row_spacing: float | None
    """mm between the centres of adjacent rows: the vertical one, which DICOM gives first."""
    column_spacing: float | None
    """mm between the centres of adjacent columns."""
    slice_thickness: float | None
    """mm."""
    height: float | None
    """mm: Rows times the spacing of rows."""
    width: float | None
    """mm: Columns times the spacing of columns."""
    voxel_volume: float | None
    """mm3, of the thickness of the slice, not of the distance between slices."""


def slice_geometry(header: Header) -> SliceGeometry:
    """Spacing, size and voxel volume in mm, by PixelSpacing and SliceThickness.

    PixelSpacing (0028,0030) and SliceThickness (0018,0050) are those of PS3.3 section C.7.6.2; the
    first value is the spacing of rows (section 10.7.1.3). ImagerPixelSpacing is not used: it is
    a distance on the detector. Multi-frame instances that give them for each frame have empty
    cells.
    """
    spacing = [float(value) for value in _several(header, "PixelSpacing")]
    row, column = spacing if len(spacing) == 2 else (None, None)
    thickness = _number(header, "SliceThickness")
    return SliceGeometry(
        row_spacing=row,
        column_spacing=column,
        slice_thickness=thickness,
        height=_product(row, _number(header, "Rows")),
        width=_product(column, _number(header, "Columns")),
        voxel_volume=_product(row, column, thickness),
    )


def _product(*numbers: float | None) -> float | None:
    product = 1.0
    for number in numbers:
        if number is None:
            return None
        product *= number
    return product


def _text(header: Header, keyword: str) -> str:
    return str(header.get(keyword) or "").strip()


def _number(header: Header, keyword: str) -> float | None:
    value = header.get(keyword)
    return None if value in (None, "") else float(value)


def _several(header: Header, keyword: str) -> list[str]:
    """Return the values of a text attribute as a list; a single value is not one in pydicom."""
    value = header.get(keyword)
    if value in (None, ""):
        return []
    return [value] if isinstance(value, str) else [str(each) for each in value]
