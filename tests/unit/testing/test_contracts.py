"""The contract suites catch real mistakes: each wrong plugin fails the test that is meant."""

from __future__ import annotations

import csv
import inspect
import itertools
import time
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from pacsfw import Component, hookimpl
from pacsfw.api import (
    Converter,
    Observer,
    Outcome,
    OutputFile,
    QueryProvider,
    QueryResult,
    QueryRow,
    Sink,
    Transfer,
)
from pacsfw.errors import Skip, StateError
from pacsfw.testing import (
    ConverterContract,
    LayoutContract,
    ObserverContract,
    QueryProviderContract,
    RowCallbackContract,
    SinkContract,
    TagCallbackContract,
    TransferContract,
)

HOOKS = {
    "layout": "pacsfw_layouts",
    "callback": "pacsfw_tag_callbacks",
    "row-callback": "pacsfw_row_callbacks",
    "converter": "pacsfw_converters",
    "sink": "pacsfw_sinks",
    "query": "pacsfw_query_providers",
    "transfer": "pacsfw_transfers",
    "observer": "pacsfw_observers",
}
CLOSED = {"type": "object", "additionalProperties": False}
PATH = {**CLOSED, "properties": {"path": {"type": "string"}}, "required": ["path"]}


def plugin(kind, component):
    """A plugin that offers one component."""

    @hookimpl
    def offer():
        yield component

    return SimpleNamespace(**{HOOKS[kind]: offer})


def failing(contract, tmp_path):
    """The names of the tests of a contract that fail."""
    suite, failed = contract(), []
    for number, (name, test) in enumerate(inspect.getmembers(suite, inspect.ismethod)):
        if not name.startswith("test_"):
            continue
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            test(
                **({"tmp_path": folder} if "tmp_path" in inspect.signature(test).parameters else {})
            )
        except Exception:  # noqa: BLE001 - whatever fails
            failed.append(name)
    return failed


def under(base, component, **attributes):
    """The contract of a component."""
    offering = plugin(base.kind, component)
    return type("Tested", (base,), {"plugin": offering, "name": component.name, **attributes})


def of(function):
    return Component.of(function, name="wrong", summary="a wrong one")


# --- any component ------------------------------------------------------------------------------


def uid_layout(header):
    return [header.get("StudyInstanceUID"), f"{header.get('SOPInstanceUID')}.dcm"]


def test_a_right_layout_passes(tmp_path):
    assert failing(under(LayoutContract, of(uid_layout)), tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({"summary": ""}, "test_it_says_in_one_line_what_it_is"),
        (
            {"schema": {"type": "object"}},
            "test_its_schema_is_valid_and_lets_no_misspelt_option_through",
        ),
        (
            {"schema": {**CLOSED, "properties": {"depth": {"type": "integer"}}}},
            "test_its_schema_and_its_factory_take_the_same_options",
        ),
        (
            {"factory": lambda depth: uid_layout},
            "test_its_schema_and_its_factory_take_the_same_options",
        ),
        (
            {
                "factory": lambda depth=2: uid_layout,
                "schema": {**CLOSED, "properties": {"depth": {"type": "integer", "default": 3}}},
            },
            "test_its_schema_and_its_factory_take_the_same_options",
        ),
    ],
    ids=["no summary", "open schema", "unknown to the factory", "unknown to the schema", "default"],
)
def test_wrong_records_fail(changes, failed, tmp_path):
    right = {"name": "wrong", "factory": lambda: uid_layout, "summary": "a layout"}
    component = Component(**(right | changes))

    assert failed in failing(under(LayoutContract, component), tmp_path)


class ManyTables(Sink):
    multi_table = True

    def __init__(self, path):
        self.path = path

    def deliver(self, batch):
        raise NotImplementedError


def scaled():
    def scale(value) -> float:
        return float(value)

    return scale


@pytest.mark.parametrize(
    ("base", "record", "remedy"),
    [
        (SinkContract, {"factory": ManyTables, "schema": PATH}, {"multi_table": True}),
        (TagCallbackContract, {"factory": scaled}, {"returns": "float"}),
    ],
    ids=["sink", "callback"],
)
def test_a_record_that_its_object_contradicts_fails(base, record, remedy, tmp_path):
    more = {"target": "x", "rows": lambda self, folder: ()} if base is SinkContract else {}

    def failed(**facts):
        component = Component(name="wrong", summary="a wrong one", **record, **facts)
        return failing(under(base, component, **more), tmp_path / str(len(facts)))

    for number in range(2):
        (tmp_path / str(number)).mkdir()
    assert "test_its_record_and_its_object_agree" in failed()
    assert "test_its_record_and_its_object_agree" not in failed(**remedy)


def test_a_plugin_whose_hook_fails_fails(tmp_path):
    @hookimpl
    def pacsfw_layouts():
        yield of(uid_layout)
        raise RuntimeError("late")

    offering = SimpleNamespace(pacsfw_layouts=pacsfw_layouts)
    contract = type("Tested", (LayoutContract,), {"plugin": offering, "name": "wrong"})

    assert "test_the_plugin_offers_it_and_nothing_fails" in failing(contract, tmp_path)


def test_an_object_that_is_shared_fails(tmp_path):
    shared = Observer()
    component = Component(name="wrong", factory=lambda: shared, summary="shared")

    found = failing(under(ObserverContract, component), tmp_path)

    assert found == ["test_every_use_gets_an_object_of_its_own"]


# --- layouts ------------------------------------------------------------------------------------


def test_a_layout_without_the_instance_fails(tmp_path):
    wrong = of(lambda header: [header.get("SeriesInstanceUID"), f"{header.get('InstanceNumber')}"])
    flat = of(lambda header: [f"{header.get('Modality')}.dcm"])

    for component in (wrong, flat):
        folder = tmp_path / str(id(component))
        folder.mkdir()
        found = failing(under(LayoutContract, component), folder)
        expected = component is flat
        assert ("test_every_object_has_a_place_of_its_own" in found) is expected


@pytest.mark.parametrize(
    ("layout", "failed"),
    [
        (lambda header: "/".join(uid_layout(header)), "awkward_objects_have_a_place"),
        (lambda header: [header.StudyDate, *uid_layout(header)], "awkward_objects_have_a_place"),
        (lambda header: [*uid_layout(header), str(next(COUNT))], "same_place_each_time"),
    ],
    ids=["one text", "absent attribute", "counter"],
)
def test_wrong_layouts_fail(layout, failed, tmp_path):
    assert any(failed in name for name in failing(under(LayoutContract, of(layout)), tmp_path))


def test_a_reason_for_skipping_that_names_the_patient_fails(tmp_path):
    def wrong(header):
        if header.get("PatientID"):
            raise Skip(f"{header.PatientID} is in no project")
        return uid_layout(header)

    contract = under(LayoutContract, of(wrong))
    contract.skips = True

    assert "test_every_object_has_a_place_of_its_own" in failing(contract, tmp_path)


def test_a_layout_that_changes_the_header_fails(tmp_path):
    def wrong(header):
        header.dataset.PatientName = "X"
        return uid_layout(header)

    assert "test_the_header_is_left_as_it_is" in failing(under(LayoutContract, of(wrong)), tmp_path)


COUNT = itertools.count()


class Sectioned:
    """A layout with its first folder from a section."""

    def open(self, context):
        self.project = context.sections["site"]

    def __call__(self, header):
        return [self.project, *uid_layout(header)]


def test_a_layout_is_opened_with_the_sections_of_the_contract(tmp_path):
    component = Component(name="sectioned", factory=Sectioned, summary="by section")
    assert failing(under(LayoutContract, component, sections={"site": "p"}), tmp_path) == []
    (tmp_path / "without").mkdir()
    assert failing(under(LayoutContract, component), tmp_path / "without") != []


class Checking:
    """A layout with a check; what is wrong is a subclass."""

    answer = None

    def __call__(self, header):
        return uid_layout(header)

    def check(self, context):
        return self.answer


class Telling(Checking):
    answer = "the share is not mounted"


class Refusing(Checking):
    def check(self, context):
        raise StateError("the share is not mounted")


class Numbering(Checking):
    answer = 7


class Blank(Checking):
    answer = " "


class Falling(Checking):
    def check(self, context):
        return open("/nowhere/at/all").read()


class Unasked(Checking):
    def check(self):
        return None


@pytest.mark.parametrize(
    ("layout", "right"),
    [
        (Checking, True),
        (Telling, True),
        (Refusing, True),
        (Numbering, False),
        (Blank, False),
        (Falling, False),
        (Unasked, False),
    ],
)
def test_a_check_answers_with_a_text_or_none(layout, right, tmp_path):
    component = Component(name="checking", factory=layout, summary="checks")
    wrong = [] if right else ["test_its_check_answers_with_a_text_or_none"]
    assert failing(under(LayoutContract, component), tmp_path) == wrong


# --- callbacks ----------------------------------------------------------------------------------


def year(value) -> int:
    return int(value[:4])


def text_year(value) -> int:
    return value[:4]


def swallowing(value) -> int:
    try:
        return int(value[:4])
    except ValueError:
        return 0


def leaving(value) -> int:
    if not value[:4].isdecimal():
        raise SystemExit(1)
    return int(value[:4])


def changing(value) -> int:
    value.append("x")
    return len(value)


@pytest.mark.parametrize(
    ("callback", "examples", "failed"),
    [
        (year, [("20200131", 2020)], ""),
        (year, [], "test_the_examples_give_their_cells"),
        (text_year, [("20200131", "2020")], "test_cells_are_of_the_type_that_the_callback"),
        (swallowing, [("20200131", 2020)], "test_what_it_cannot_convert_it_refuses"),
        (leaving, [("20200131", 2020)], "test_hostile_text_is_converted_or_refused"),
        (changing, [(["a"], 2)], "test_it_keeps_nothing_and_changes_nothing"),
    ],
    ids=["right", "no examples", "wrong type", "swallows", "leaves", "changes"],
)
def test_wrong_callbacks_fail(callback, examples, failed, tmp_path):
    contract = under(TagCallbackContract, of(callback), examples=examples, refused=["soon"])

    try:
        found = failing(contract, tmp_path)
    except SystemExit:
        found = ["test_hostile_text_is_converted_or_refused"]

    assert any(name.startswith(failed) for name in found) if failed else found == []


# --- row callbacks ------------------------------------------------------------------------------


class Size(NamedTuple):
    pixels: int | None


def pixels(header) -> Size:
    if header.get("Rows") == 0:
        raise ValueError("no rows")
    rows, columns = header.get("Rows"), header.get("Columns")
    return Size(rows * columns if rows and columns else None)


def unannotated(header):
    return pixels(header)


def text_pixels(header) -> Size:
    return Size(str(pixels(header).pixels))


def unannounced(header) -> Size:
    return {"pixels": pixels(header).pixels, str(header.get("PatientID")): 1}


def inventing(header) -> Size:
    return Size((header.get("Rows") or 0) * (header.get("Columns") or 0) or None)


def assuming(header) -> Size:
    return pixels(header) if header.Rows else Size(None)


def quitting(header) -> Size:
    if not header.get("Rows"):
        raise SystemExit(1)
    return pixels(header)


def counting_calls(header) -> Size:
    return Size(next(COUNT))


def editing(header) -> Size:
    header.dataset.PatientID = "edited"
    return pixels(header)


PIXELS = [({"Rows": 2, "Columns": 3}, Size(6))]


@pytest.mark.parametrize(
    ("callback", "examples", "failed"),
    [
        (pixels, PIXELS, ""),
        (pixels, [], "test_the_examples_give_their_values"),
        (pixels, [(PIXELS[0][0], Size(7))], "test_the_examples_give_their_values"),
        (unannotated, PIXELS, "test_its_columns_are_known_beforehand"),
        (text_pixels, PIXELS, "test_values_are_those_of_the_columns_that_it_promises"),
        (unannounced, PIXELS, "test_values_are_those_of_the_columns_that_it_promises"),
        (inventing, PIXELS, "test_what_it_cannot_tell_it_refuses"),
        (assuming, PIXELS, "test_an_instance_without_the_attributes_has_empty_cells"),
        (quitting, PIXELS, "test_an_instance_without_the_attributes_has_empty_cells"),
        (counting_calls, PIXELS, "test_it_keeps_nothing_and_changes_nothing"),
        (editing, PIXELS, "test_it_keeps_nothing_and_changes_nothing"),
    ],
)
def test_wrong_row_callbacks_fail(callback, examples, failed, tmp_path):
    contract = under(RowCallbackContract, of(callback), examples=examples, refused=[{"Rows": 0}])

    try:
        found = failing(contract, tmp_path)
    except SystemExit:
        found = ["test_an_instance_without_the_attributes_has_empty_cells"]

    assert failed in found if failed else found == []


def test_columns_of_a_row_callback_may_be_listed(tmp_path):
    def size(header):
        return {"pixels": pixels(header).pixels}

    contract = under(
        RowCallbackContract,
        of(size),
        examples=[(PIXELS[0][0], {"pixels": 6})],
        columns={"pixels": "int"},
    )
    assert failing(contract, tmp_path) == []


# --- converters ---------------------------------------------------------------------------------


class Copying(Converter):
    """Writes the size of each file; what is wrong is a subclass."""

    def convert(self, files, out):
        for file in files:
            path = self.path(file, out)
            head = file.path.read_bytes()
            if b"\xff" * 64 in head:
                raise ValueError("damaged")
            path.write_text(str(len(head)))
            yield OutputFile(path=path, media_type="text/plain", sources=(file.sop_uid,))

    def path(self, file, out):
        return out / f"{file.sop_uid}.txt"


class Beside(Copying):
    def path(self, file, out):
        return file.path.with_suffix(".txt")


class Untold(Copying):
    def convert(self, files, out):
        (out / "index.txt").write_text("x")
        return super().convert(files, out)


class Nothing(Copying):
    def convert(self, files, out):
        return ()


class Editing(Copying):
    def convert(self, files, out):
        for file in files:
            file.path.write_bytes(file.path.read_bytes() + b"\0\0")
        return super().convert(files, out)


class Numbered(Copying):
    def path(self, file, out):
        return out / f"{next(COUNT)}.txt"


class Shelving(Copying):
    folder = ("sizes", "..")

    def convert(self, files, out):
        for output in super().convert(files, out):
            yield replace(output, folder=self.folder)


class OneName(Shelving):
    folder = "sizes"


class NoName(Shelving):
    folder = ("sizes", None)


class Wandering(Shelving):
    @property
    def folder(self):
        return [str(next(COUNT))]


class Fickle(Copying):
    def fingerprint(self):
        return str(next(COUNT))


class Forgiving(Copying):
    def convert(self, files, out):
        try:
            return list(super().convert(files, out))
        except ValueError:
            return []


@pytest.mark.parametrize(
    ("converter", "failed"),
    [
        (Copying, ""),
        (Shelving, ""),
        (OneName, "test_it_produces_files_below_its_folder"),
        (NoName, "test_it_produces_files_below_its_folder"),
        (Wandering, "test_converting_again_gives_the_same_files"),
        (Beside, "test_it_produces_files_below_its_folder"),
        (Untold, "test_it_produces_files_below_its_folder"),
        (Nothing, "test_it_produces_files_below_its_folder"),
        (Editing, "test_what_it_reads_stays_as_it_is"),
        (Numbered, "test_converting_again_gives_the_same_files"),
        (Fickle, "test_its_fingerprint_is_a_short_text_and_stays_the_same"),
        (Forgiving, "test_a_damaged_file_is_refused"),
    ],
)
def test_wrong_converters_fail(converter, failed, tmp_path):
    component = Component(name="wrong", factory=converter, summary="sizes")

    found = failing(under(ConverterContract, component), tmp_path)

    assert failed in found if failed else found == []


# --- sinks --------------------------------------------------------------------------------------


class Keeping(Sink):
    """One file for each key, replaced as a whole; what is wrong is a subclass."""

    def __init__(self, path):
        self.folder = path

    def deliver(self, batch):
        import os

        os.makedirs(self.folder, exist_ok=True)
        names = [column.name for column in batch.table.columns]
        with open(f"{self.folder}/{self.file(batch)}", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([names, *batch.rows])

    def file(self, batch):
        return f"{batch.key}.csv"


class AddingUp(Keeping):
    def file(self, batch):
        return f"{batch.key}{next(COUNT)}.csv"


class Lazy(Keeping):
    batches = ()

    def deliver(self, batch):
        self.batches = (*self.batches, batch)

    def close(self):
        for batch in self.batches:
            super().deliver(batch)


class Stripping(Keeping):
    def deliver(self, batch):
        rows = [
            [cell.strip() if isinstance(cell, str) else cell for cell in row] for row in batch.rows
        ]
        super().deliver(replace(batch, rows=rows))


class Typed(Keeping):
    def deliver(self, batch):
        if any(isinstance(cell, dict) for row in batch.rows for cell in row):
            raise TypeError("no place for it")
        super().deliver(batch)


class Marking(Keeping):
    def mark(self, table, position):
        return str(next(COUNT))


class Agreeing(Keeping):
    def holds(self, table, batches, position):
        return True


class OfKeeping(SinkContract):
    target = "table"

    def rows(self, folder):
        found = []
        for path in sorted((folder / self.target).glob("*.csv")):
            with path.open(newline="", encoding="utf-8") as lines:
                found += csv.DictReader(lines)
        return found


@pytest.mark.parametrize(
    ("sink", "failed"),
    [
        (Keeping, ""),
        (AddingUp, "test_the_same_key_replaces"),
        (AddingUp, "test_a_delivery_that_nobody_noted_can_come_again"),
        (Lazy, "test_what_was_delivered_is_there_at_once"),
        (Stripping, "test_texts_come_back_as_they_were"),
        (Typed, "test_every_type_of_column_is_taken"),
        (Marking, "test_a_mark_is_found_again"),
        (Agreeing, "test_a_table_is_compared_with_its_batches"),
    ],
)
def test_wrong_sinks_fail(sink, failed, tmp_path):
    component = Component(name="wrong", factory=sink, schema=PATH, summary="files")

    found = failing(under(OfKeeping, component), tmp_path)

    assert failed in found if failed else found == []


# --- query providers ----------------------------------------------------------------------------


class Listing(QueryProvider):
    """Answers from a list, by date alone; what is wrong is a subclass."""

    studies = ()

    def ask(self, query, emit):
        if query.level != "STUDY":
            return QueryResult(complete=False, status_text="studies only")
        first, _, last = query.match.get("StudyDate", "-").partition("-")
        for study in self.studies:
            if not query.match.get("StudyDate") or self.fits(study.study_date, first, last):
                emit(QueryRow(self.row(study)))
        return QueryResult(complete=True, status_text="read to the end")

    def fits(self, day, first, last):
        return True

    def row(self, study):
        return {
            "StudyInstanceUID": study.uid,
            "PatientID": study.patient_id or "",
            "StudyDate": study.study_date,
        }


class Cut(Listing):
    def ask(self, query, emit):
        taken = itertools.count()
        return super().ask(query, lambda found: emit(found) if next(taken) < 10 else None)


class Narrow(Listing):
    def fits(self, day, first, last):
        return bool(last) and first < day < last


class Numbers(Listing):
    def row(self, study):
        return {**super().row(study), "StudyDate": int(study.study_date or 0)}


class Once(Listing):
    def release(self):
        self.studies = ()


class OfListing(QueryProviderContract):
    @contextmanager
    def serving(self, studies, folder):
        Listing.studies = list(studies)
        yield {}


@pytest.mark.parametrize(
    ("provider", "failed"),
    [
        (Listing, ""),
        (Cut, "test_all_studies_are_found"),
        (Narrow, "test_nothing_that_matches_is_missing"),
        (Numbers, "test_rows_are_texts_by_keyword"),
        (Once, "test_the_same_question_can_be_asked_again"),
    ],
)
def test_wrong_query_providers_fail(provider, failed, tmp_path):
    component = Component(name="wrong", factory=provider, summary="a list")

    found = failing(under(OfListing, component), tmp_path)

    assert failed in found if failed else found == []


# --- transfers ----------------------------------------------------------------------------------


class Handing(Transfer):
    """Hands objects over from a list; what is wrong is a subclass."""

    studies = ()
    stopped = False

    def fetch(self, request, inbox):
        sent = 0
        for study in self.studies:
            if study.uid != request.study_uid:
                continue
            for uid in study.sop_uids:
                if self.stopped or (request.sop_uids and uid not in request.sop_uids):
                    continue
                self.hand_over(inbox, uid)
                sent += 1
        return self.outcome(sent)

    def hand_over(self, inbox, uid):
        file = inbox.create("1.2.840.10008.5.1.4.1.1.2", uid, "1.2.840.10008.1.2.1")
        file.write(b"data")
        file.seal()

    def outcome(self, sent):
        return Outcome(status=0, status_text="handed over", completed=sent)

    def cancel(self):
        self.stopped = True


class Unsealed(Handing):
    def hand_over(self, inbox, uid):
        inbox.create("1.2.3", uid, "1.2.840.10008.1.2.1").write(b"data")


class Claiming(Handing):
    def outcome(self, sent):
        return Outcome(status=0, status_text="all is well", completed=sent or 1)


class Losing(Handing):
    def hand_over(self, inbox, uid):
        if not inbox.objects:
            super().hand_over(inbox, uid)


class Unstoppable(Handing):
    def hand_over(self, inbox, uid):
        super().hand_over(inbox, uid)
        if len(inbox.objects) > 5:
            time.sleep(1)

    def cancel(self):
        pass


class OfHanding(TransferContract):
    @contextmanager
    def serving(self, studies, folder, inbox):
        Handing.studies = list(studies)
        yield {}


@pytest.mark.parametrize(
    ("transfer", "failed"),
    [
        (Handing, ""),
        (Unsealed, "test_all_objects_of_a_study_arrive"),
        (Losing, "test_all_objects_of_a_study_arrive"),
        (Claiming, "test_a_study_that_is_not_there_is_no_success_with_objects"),
        (Unstoppable, "test_cancelling_ends_a_request"),
    ],
)
def test_wrong_transfers_fail(transfer, failed, tmp_path, monkeypatch):
    monkeypatch.setattr("pacsfw.testing.contracts.transfer.ARRIVAL", 0.2)
    monkeypatch.setattr("pacsfw.testing.contracts.transfer.SOON", 1.0 if failed else 30.0)
    component = Component(name="wrong", factory=transfer, summary="hands over")

    found = failing(under(OfHanding, component), tmp_path)

    assert failed in found if failed else found == []


# --- observers ----------------------------------------------------------------------------------


class Choosy(Observer):
    def notify(self, event):
        {"RunStarted": 1, "RunFinished": 1}[type(event).__name__]


class Counting(Observer):
    def notify(self, event):
        if type(event).__name__ == "RunFinished":
            print(1 / sum(event.counts.values()))


class Unused(Observer):
    log = None

    def notify(self, event):
        self.log = []

    def close(self):
        self.log.clear()


@pytest.mark.parametrize(
    ("observer", "failed"),
    [
        (Observer, ""),
        (Choosy, "test_it_takes_the_events_of_a_run"),
        (Counting, "test_it_takes_a_run_that_failed_at_once"),
        (Unused, "test_it_can_be_closed_without_an_event"),
    ],
)
def test_wrong_observers_fail(observer, failed, tmp_path):
    component = Component(name="wrong", factory=observer, summary="looks on")

    found = failing(under(ObserverContract, component), tmp_path)

    assert failed in found if failed else found == []
