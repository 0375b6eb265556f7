"""The studies of an `EmbeddedPACS` (PS3.4 C.6): child process only."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydicom.uid import UID

from pacsfw.dicom.levels import LEVELS
from pacsfw.testing._records import (
    UNIQUE_KEYS,
    Entity,
    Group,
    Instance,
    MadeStudy,
    Patient,
    read,
)
from pacsfw.testing.synthetic import Study


class BadIdentifier(ValueError):
    """The identifier does not match the information model: status A900."""


class Archive:
    """Studies by StudyInstanceUID, in the order of arrival. Thread-safe."""

    def __init__(self) -> None:
        self._studies: dict[str, Group | MadeStudy] = {}
        self._lock = threading.Lock()
        self.skipped: list[Path] = []

    def add(self, path: Path) -> bool:
        """Add a Part 10 file; a file that cannot be served is recorded as skipped."""
        try:
            instance = read(path)
        except Exception:  # noqa: BLE001 - pydicom raises anything on damaged files
            self.skipped.append(path)
            return False
        with self._lock:
            self._put(instance)
        return True

    def make(self, study: Study, folder: Path) -> None:
        """Add a synthetic study; its files are written to the folder when needed."""
        made = MadeStudy(study, folder)
        [uid] = made.texts("StudyInstanceUID")
        with self._lock:
            if uid not in self._studies:
                self._studies[uid] = made
                return
            for instance in made.instances():
                self._put(instance)

    def _put(self, instance: Instance) -> None:
        uid = instance.key("STUDY")
        held = self._studies.setdefault(uid, Group())
        if isinstance(held, MadeStudy):
            held = self._studies[uid] = Group.of(held.instances())
        held.members[instance.key("IMAGE")] = instance

    def uids(self, level: str, study_uid: str) -> frozenset[str]:
        """Return the unique keys of a level, of one study or (if empty) of all."""
        studies = [self._studies.get(study_uid)] if study_uid else self._all()
        if level in ("PATIENT", "STUDY"):
            return frozenset(_key(study, level) for study in studies if study)
        return frozenset(
            instance.key(level) for study in studies if study for instance in study.instances()
        )

    def syntaxes(self) -> dict[str, list[UID]]:
        """Return the transfer syntaxes of each SOP class, most frequent first."""
        counts: dict[str, Counter[str]] = {}
        for study in self._all():
            for sop_class, syntax in study.classes():
                counts.setdefault(sop_class, Counter())[syntax] += 1
        return {
            sop_class: [UID(syntax) for syntax, _ in counter.most_common()]
            for sop_class, counter in counts.items()
        }

    def entities(self, root: str, level: str, keys: Mapping[str, str]) -> Sequence[Entity]:
        """Return the entities below the unique keys of the levels above.

        Studies with a StudyInstanceUID in the query are looked up, not searched.

        Raises
        ------
        BadIdentifier
            The model does not have the level, or a key above it does not have one value
            (PS3.4 C.4.1.3.1.1).
        """
        studies = self._studies_below(root, level, keys)
        if level == "STUDY":
            return studies
        if level == "PATIENT":
            patients: dict[str, list[Group | MadeStudy]] = {}
            for study in studies:
                patients.setdefault(_key(study, level), []).append(study)
            return [Patient(theirs) for theirs in patients.values()]
        instances = _instances(studies, level, keys)
        if level == "IMAGE":
            return instances
        series: dict[str, list[Instance]] = {}
        for instance in instances:
            series.setdefault(instance.key(level), []).append(instance)
        return [Group.of(members) for members in series.values()]

    def retrieve(self, root: str, level: str, keys: Mapping[str, str]) -> list[Instance]:
        """Return the instances that a C-MOVE or C-GET requests.

        Raises
        ------
        BadIdentifier
            As for `entities`, or nothing is requested.
        """
        studies = self._studies_below(root, level, keys)
        wanted = _values(keys, level)
        if not wanted:
            raise BadIdentifier(f"{UNIQUE_KEYS[level]} is missing or empty")
        if level == "PATIENT":
            studies = [study for study in studies if _key(study, level) in wanted]
        return [one for one in _instances(studies, level, keys) if one.key(level) in wanted]

    def in_order(self, study_uid: str) -> list[str]:
        """Return the SOP Instance UIDs of a study, always in the same order."""
        with self._lock:
            study = self._studies.get(study_uid)
        return [instance.key("IMAGE") for instance in study.instances()] if study else []

    def another(self, study_uid: str) -> list[Instance]:
        """Return the instances of the study added after this one, or of the first one."""
        with self._lock:
            uids = list(self._studies)
            following = uids[(uids.index(study_uid) + 1) % len(uids)] if uids else ""
            return self._studies[following].instances() if following else []

    def remove(self, uids: frozenset[str]) -> None:
        """Remove the instances with these SOP Instance UIDs, and studies that become empty."""
        with self._lock:
            for study_uid, study in list(self._studies.items()):
                left = [one for one in study.instances() if one.key("IMAGE") not in uids]
                if not left:
                    del self._studies[study_uid]
                elif len(left) < len(study.instances()):
                    self._studies[study_uid] = Group.of(left)

    def _all(self) -> list[Group | MadeStudy]:
        with self._lock:
            return list(self._studies.values())

    def _studies_below(
        self, root: str, level: str, keys: Mapping[str, str]
    ) -> list[Group | MadeStudy]:
        """Return the studies that match the unique keys down to STUDY level."""
        if level not in LEVELS[LEVELS.index(root) :]:
            raise BadIdentifier(f"QueryRetrieveLevel is not in the {root.title()} Root model")
        if level in ("SERIES", "IMAGE"):
            _one(keys, "STUDY", level)
        uids = _values(keys, "STUDY") if level != "PATIENT" else []
        studies = self._all()
        if uids:
            with self._lock:
                picked = {uid: self._studies[uid] for uid in uids if uid in self._studies}
            studies = list(picked.values())
        if root == "PATIENT" and level != "PATIENT":
            patient = _one(keys, "PATIENT", level)
            studies = [study for study in studies if _key(study, "PATIENT") == patient]
        return studies


def _instances(
    studies: Sequence[Group | MadeStudy], level: str, keys: Mapping[str, str]
) -> list[Instance]:
    instances = [instance for study in studies for instance in study.instances()]
    if level == "IMAGE":
        series = _one(keys, "SERIES", level)
        instances = [instance for instance in instances if instance.key("SERIES") == series]
    return instances


def _key(study: Group | MadeStudy, level: str) -> str:
    return "\\".join(study.texts(UNIQUE_KEYS[level]))


def _values(keys: Mapping[str, str], level: str) -> list[str]:
    """Return the requested values of the unique key of a level."""
    return [value for value in keys.get(UNIQUE_KEYS[level], "").split("\\") if value]


def _one(keys: Mapping[str, str], above: str, level: str) -> str:
    values = _values(keys, above)
    if len(values) != 1:
        raise BadIdentifier(f"{UNIQUE_KEYS[above]} must have one value at {level} level")
    return values[0]
