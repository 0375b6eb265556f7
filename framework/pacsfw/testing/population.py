"""Many synthetic studies, with all properties that make a search miss some of them."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

from pacsfw.testing.synthetic import Study

BUSY_SECOND = "103000"
"""The common time of some studies on the busy day."""

_LATIN, _UTF8, _JIS = "ISO_IR 100", "ISO_IR 192", "\\ISO 2022 IR 87"
_FAMILIES = ("Adler", "Brandt", "Castillo", "Dubois", "Eriksson", "Fischer", "Horvat", "ZEMAN")
_GIVEN = ("Ada", "Bruno", "Clara", "David", "Frida", "Georg")
_AWKWARD_NAMES = (
    ("4711^Test {0}", _LATIN),
    ("0{0}", _LATIN),
    ("Ärmel^Übel {0}", _LATIN),
    ("Ödön^Łukasz {0}", _UTF8),
    ("Yamada^Tarou {0}=山田^太郎=やまだ^たろう", _JIS),
    ("鈴木^花子 {0}", _UTF8),
    ("^Noname {0}", _LATIN),
    ("de la cruz^maría {0}", _LATIN),
    ("'T Hart^{0}", _LATIN),
    ("", _LATIN),
)
_MODALITIES = (("CT",), ("CT", "SR"), ("MR",), ("MR", "MR"), ("CR",), ("PT", "CT"), ("OT",))
_DESCRIPTIONS = ("CHEST", "Chest w/o contrast", "HEAD", "Knee, left", "", "Abdomen*")
_TIMES = ("{:02d}", "{:02d}{:02d}", "{:02d}{:02d}{:02d}", "{:02d}{:02d}{:02d}.{:06d}")
_TIME_WEIGHTS = (1, 20, 60, 19)


def population(
    count: int,
    *,
    seed: int = 5000,
    start: date = date(2020, 1, 1),
    days: int = 366,
    busy_day: date | None = None,
    busy: float = 0.08,
    same_second: float = 0.1,
    undated: float = 0.02,
    untimed: float = 0.02,
    instances: int = 1,
) -> list[Study]:
    """Describe difficult studies; the same arguments give the same studies.

    Names begin with letters, digits, umlauts, a caret, an apostrophe, lower case or
    Japanese, or are empty. Times have a precision of an hour, a minute, a second or less.
    Accession numbers are empty or duplicate. PatientIDs are empty or shared. There are
    several modalities and descriptions.

    Parameters
    ----------
    count
        Number of studies.
    seed
        A different seed gives different studies, with different UIDs.
    start, days
        The range of the study dates.
    busy_day
        The day of the ``busy`` share of studies; None for the middle of the range.
    busy, undated, untimed
        The shares of studies on the busy day, without date and without time. Studies
        without date or time come last: a limit of rows hides them first.
    same_second
        The share of the busy day at the same time, `BUSY_SECOND`.
    instances
        Instances per series.
    """
    random = Random(seed)  # noqa: S311 - reproducible, not a secret
    crowd = busy_day or start + timedelta(days=days // 2)
    crowded, no_date, no_time = (_share(count, part) for part in (busy, undated, untimed))
    quiet = [day for day in (start + timedelta(n) for n in range(days)) if day != crowd] or [crowd]
    whens: list[tuple[date | None, str]] = []
    for number in range(count):
        day, time = random.choice(quiet), _time(random)
        if number < crowded:
            day = crowd
            time = BUSY_SECOND if number < crowded * same_second else time
        whens.append((day, time))
    dated = count - no_date - no_time
    ordered = random.sample(whens[:dated], max(dated, 0))
    ordered += [(day, "") for day, _ in whens[dated : count - no_date]]
    ordered += [(None, time) for _, time in whens[count - no_date :]]
    return [
        _study(random, number, count, when, seed=seed, instances=instances)
        for number, when in enumerate(ordered)
    ]


def _share(count: int, part: float) -> int:
    """Return the number of a share: at least one if the share is not 0."""
    return min(count, max(1, round(count * part))) if part and count else 0


def _time(random: Random) -> str:
    (form,) = random.choices(_TIMES, _TIME_WEIGHTS)
    hour = random.randrange(7, 19) if random.random() < 0.9 else random.randrange(24)
    return form.format(hour, random.randrange(60), random.randrange(60), random.randrange(10**6))


def _study(
    random: Random,
    number: int,
    count: int,
    when: tuple[date | None, str],
    *,
    seed: int,
    instances: int,
) -> Study:
    day, time = when
    patient = number if random.random() < 0.8 else random.randrange(count)
    name, charset = _name(patient)
    extra: dict[str, Any] = {}
    if number % 20 == 3:
        extra = {"AccessionNumber": ""}
    elif number % 20 == 13:
        extra = {"AccessionNumber": f"TWICE{seed}-{number // 40}"}
    return Study(
        number=number,
        patient_id="" if patient % 40 == 7 else f"POP{seed}-{patient:06d}",
        patient_name=name,
        study_date="" if day is None else f"{day:%Y%m%d}",
        study_time=time,
        modalities=random.choice(_MODALITIES),
        instances=instances,
        charset=charset,
        description=random.choice(_DESCRIPTIONS),
        extra=extra,
        seed=seed,
    )


def _name(patient: int) -> tuple[str, str]:
    """Return name and character set; every third patient has a difficult name."""
    kind, awkward = divmod(patient, 3)
    if awkward == 2:
        name, charset = _AWKWARD_NAMES[kind % len(_AWKWARD_NAMES)]
        return name.format(patient), charset
    family = _FAMILIES[patient % len(_FAMILIES)]
    return f"{family}^{_GIVEN[patient % len(_GIVEN)]} {patient}", _LATIN
