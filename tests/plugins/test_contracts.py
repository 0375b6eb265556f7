"""Every bundled component keeps the contract of its kind, as those of others have to."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import ExitStack, closing, contextmanager
from datetime import date, datetime, timedelta

import pytest
from openpyxl import Workbook
from psycopg.rows import dict_row
from pyarrow import parquet

from pacsfw.api import DicomWeb, Net, Node
from pacsfw.plugins import PluginPlan, discover
from pacsfw.testing import (
    CohortContract,
    ConverterContract,
    EmbeddedPACS,
    LayoutContract,
    ObserverContract,
    QueryProviderContract,
    RowCallbackContract,
    SinkContract,
    TagCallbackContract,
    TransferContract,
    write_studies,
)
from pacsfw.testing.contracts.inbox import AETITLE
from pacsfw.testing.contracts.query import Source
from pacsfw_plugins import callbacks, layouts, row_callbacks
from pacsfw_plugins.cohorts import csv as csv_cohort
from pacsfw_plugins.cohorts import excel as excel_cohort
from pacsfw_plugins.cohorts import sql as sql_cohort
from pacsfw_plugins.converters import command, jsonmeta
from pacsfw_plugins.dicomweb import qido, wado
from pacsfw_plugins.dimse import cfind, cget, cmove
from pacsfw_plugins.folder import query as query_folder
from pacsfw_plugins.folder import transfer as transfer_folder
from pacsfw_plugins.observers import email, manifest, progress, webhook
from pacsfw_plugins.tables import csv as csv_sink
from pacsfw_plugins.tables import jsonl, sql
from pacsfw_plugins.tables import parquet as parquet_sink


class TestPatientLayout(LayoutContract):
    plugin, name = layouts, "PATIENT"


class TestStudyLayout(LayoutContract):
    plugin, name = layouts, "STUDY"


class TestSeriesLayout(LayoutContract):
    plugin, name = layouts, "SERIES"


class TestImageLayout(LayoutContract):
    plugin, name = layouts, "IMAGE"


class TestTemplateLayout(LayoutContract):
    plugin, name = layouts, "template"
    options = {"pattern": "{Modality}/{StudyDate}/{PatientID}/{SOPInstanceUID}.dcm"}


class TestStr(TagCallbackContract):
    plugin, name = callbacks, "str"
    examples = [
        ("CHEST", "CHEST"),
        (7, "7"),
        (1.5, "1.5"),
        (["ORIGINAL", "AXIAL"], "ORIGINAL\\AXIAL"),
    ]


class TestInt(TagCallbackContract):
    plugin, name = callbacks, "int"
    examples = [("7", 7), (7, 7), (7.0, 7)]
    refused = ["7.5", "seven", "", [1, 2]]


class TestFloat(TagCallbackContract):
    plugin, name = callbacks, "float"
    examples = [("1.5", 1.5), (2, 2.0), ("1e3", 1000.0)]
    refused = ["one", "", "nan", [1.0, 2.0]]


class TestBool(TagCallbackContract):
    plugin, name = callbacks, "bool"
    examples = [("YES", True), ("N", False)]
    refused = ["MAYBE", ""]


class TestStr2Datetime(TagCallbackContract):
    plugin, name = callbacks, "str2datetime"
    examples = [
        ("20200131", datetime(2020, 1, 31)),
        ("20200131101530", datetime(2020, 1, 31, 10, 15, 30)),
    ]
    refused = ["20201399", "soon", date(2020, 1, 1)]


class TestStr2Timedelta(TagCallbackContract):
    plugin, name = callbacks, "str2timedelta"
    examples = [("1015", timedelta(hours=10, minutes=15))]
    refused = ["2561", "noon"]


class TestAge(TagCallbackContract):
    plugin, name = callbacks, "agestr2years"
    examples = [("018M", 1.5), ("042Y", 42.0)]
    refused = ["old", "42"]


class TestCsv(SinkContract):
    plugin, name, target = csv_sink, "csv", "table.csv"

    def rows(self, folder):
        with (folder / self.target).open(newline="", encoding="utf-8-sig") as lines:
            return list(csv.DictReader(lines))


class TestJsonl(SinkContract):
    plugin, name, target = jsonl, "jsonl", "table.jsonl"

    def rows(self, folder):
        lines = (folder / self.target).read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines if line]


class TestParquet(SinkContract):
    plugin, name, target = parquet_sink, "parquet", "table.parquet"

    def rows(self, folder):
        return parquet.read_table(folder / self.target).to_pylist()


class TestSqlite(SinkContract):
    plugin, name = sql, "sql"

    def options_in(self, folder):
        return {"path": f"sqlite:///{folder}/data.db"}

    def rows(self, folder):
        with closing(sqlite3.connect(folder / "data.db")) as connection:
            connection.row_factory = sqlite3.Row
            return list(map(dict, connection.execute("SELECT * FROM instances")))


class TestPostgresql(SinkContract):
    plugin, name = sql, "sql"

    @pytest.fixture(autouse=True)
    def database(self, postgres):
        self.postgres, self.url = postgres, postgres.create_database()

    def options_in(self, folder):
        return {"path": self.url}

    def rows(self, folder):
        with self.postgres.connect(self.url.rpartition("/")[2]) as connection:
            return connection.cursor(row_factory=dict_row).execute("SELECT * FROM instances")


@pytest.fixture(scope="module")
def pacs_of():
    """Starts a PACS for each set of studies, once."""
    running = {}
    with ExitStack() as stack:

        def start(studies):
            key = tuple(study.uid for study in studies)
            if key not in running:
                running[key] = stack.enter_context(EmbeddedPACS(studies, aetitle="THEIRS"))
            return running[key]

        yield start


def source_of(pacs):
    ours = Node(aetitle=AETITLE)
    theirs = Node(aetitle="THEIRS", ip=pacs.host, port=pacs.port)
    return Source(net=Net(local=ours, dest=ours, called=theirs))


class TestCsvCohort(CohortContract):
    plugin, name = csv_cohort, "csv"
    options = {"path": "cohort.csv"}
    suffix = ".csv"

    @contextmanager
    def holding(self, rows, folder):
        path = folder / f"cohort{self.suffix}"
        with path.open("w", newline="", encoding="utf-8") as file:
            if self.suffix == ".jsonl":
                file.writelines(f"{json.dumps(row)}\n" for row in rows)
            else:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        yield {"path": str(path)}


class TestJsonlCohort(TestCsvCohort):
    suffix = ".jsonl"


class TestExcelCohort(CohortContract):
    plugin, name = excel_cohort, "excel"
    options = {"path": "cohort.xlsx"}

    @contextmanager
    def holding(self, rows, folder):
        book = Workbook()
        for row in (list(rows[0]), *(list(row.values()) for row in rows)):
            book.active.append(row)
        book.save(folder / "cohort.xlsx")
        yield {"path": str(folder / "cohort.xlsx")}


class TestSqlCohort(CohortContract):
    plugin, name = sql_cohort, "sql"
    options = {"url": "sqlite://", "query": "SELECT 1"}

    @contextmanager
    def holding(self, rows, folder):
        with sqlite3.connect(folder / "ris.sqlite") as database:
            database.execute(f"CREATE TABLE orders ({', '.join(rows[0])})")
            database.executemany(
                "INSERT INTO orders VALUES (?, ?, ?)", [tuple(row.values()) for row in rows]
            )
        database.close()
        yield {"url": f"sqlite:///{folder / 'ris.sqlite'}", "query": "SELECT * FROM orders"}


class TestCFind(QueryProviderContract):
    plugin, name = cfind, "cfind"

    @pytest.fixture(autouse=True)
    def _servers(self, pacs_of):
        self.pacs_of = pacs_of

    @contextmanager
    def serving(self, studies, folder):
        yield source_of(self.pacs_of(studies))


class TestCFindByPatient(TestCFind):
    options = {"root": "patient"}


class TestFolder(QueryProviderContract):
    plugin, name = query_folder, "folder"
    options = {"path": "somewhere"}

    @contextmanager
    def serving(self, studies, folder):
        write_studies(folder / "tree", studies)
        yield {"path": str(folder / "tree")}


class TestQido(QueryProviderContract):
    plugin, name = qido, "qido"

    @pytest.fixture(autouse=True)
    def _server(self, orthanc):
        if not orthanc.has_dicomweb:
            pytest.skip("not installed: the DICOMweb plugin of Orthanc")
        self.orthanc = orthanc

    @contextmanager
    def serving(self, studies, folder):
        self.orthanc.clear()
        self.orthanc.load(write_studies(folder / "files", studies))
        yield Source(
            net=Net(local=Node(aetitle=AETITLE), dicomweb=DicomWeb(url=self.orthanc.dicomweb_url))
        )


class TestCMove(TransferContract):
    plugin, name = cmove, "cmove"

    @contextmanager
    def serving(self, studies, folder, inbox):
        destinations = {AETITLE: ("127.0.0.1", inbox.port)}
        with EmbeddedPACS(studies, aetitle="THEIRS", destinations=destinations) as pacs:
            yield source_of(pacs)


class TestCGet(TransferContract):
    plugin, name = cget, "cget"

    @contextmanager
    def serving(self, studies, folder, inbox):
        with EmbeddedPACS(studies, aetitle="THEIRS") as pacs:
            yield source_of(pacs)


class TestFolderImport(TransferContract):
    plugin, name = transfer_folder, "folder"
    options = {"path": "somewhere"}

    @contextmanager
    def serving(self, studies, folder, inbox):
        write_studies(folder / "tree", studies)
        yield {"path": str(folder / "tree")}


class TestWado(TransferContract):
    plugin, name = wado, "wado"

    @pytest.fixture(autouse=True)
    def _server(self, orthanc):
        if not orthanc.has_dicomweb:
            pytest.skip("not installed: the DICOMweb plugin of Orthanc")
        self.orthanc = orthanc

    @contextmanager
    def serving(self, studies, folder, inbox):
        self.orthanc.load(write_studies(folder / "files", studies))
        yield Source(
            net=Net(local=Node(aetitle=AETITLE), dicomweb=DicomWeb(url=self.orthanc.dicomweb_url))
        )


class TestJsonMeta(ConverterContract):
    plugin, name = jsonmeta, "jsonmeta"


class TestDump(ConverterContract):
    plugin, name = command, "command"
    options = {"argv": ["dcm2json", "{file}", "{out}/{name}.json"]}


class TestOfSeries(ConverterContract):
    plugin, name = command, "command"
    options = {
        "argv": ["dcmdump", "+sd", "{folder}"],
        "scope": "series",
        "stdout": "{series_uid}.txt",
    }


class TestEmail(ObserverContract):
    """Without a mail: what it sends is tested with a server."""

    plugin, name = email, "email"
    options = {"commands": ["move"]}
    sections = {"email": {"to": "a@example.org"}}


class TestWebhook(ObserverContract):
    """Without a server, likewise."""

    plugin, name = webhook, "webhook"
    options = {"url": "http://127.0.0.1:9/", "events": []}


class TestProgress(ObserverContract):
    plugin, name = progress, "progress"


class TestManifest(ObserverContract):
    plugin, name = manifest, "manifest"

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.options = {"path": str(tmp_path / "manifest.jsonl")}


class TestPatientAge(RowCallbackContract):
    plugin, name = row_callbacks, "patient-age"
    examples = [
        ({"PatientAge": "018M", "PatientBirthDate": "19500101"}, (1.5, "PatientAge")),
        (
            {"PatientBirthDate": "20000229", "StudyDate": "20010301"},
            (1.0, "PatientBirthDate, StudyDate"),
        ),
        (
            {"PatientBirthDate": "20000101", "AcquisitionDate": "20000702"},
            (0.5, "PatientBirthDate, AcquisitionDate"),
        ),
        ({"PatientBirthDate": "20000101"}, (None, None)),
    ]
    refused = [
        {"PatientAge": "old"},
        {"PatientBirthDate": "20010101", "StudyDate": "20000101"},
        {"PatientBirthDate": "2001", "StudyDate": "20100101"},
    ]


class TestIsLocalizer(RowCallbackContract):
    plugin, name = row_callbacks, "is-localizer"
    examples = [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, True),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"]}, False),
        ({"ImageType": ["DERIVED", "LOCALIZER", "MPR"]}, False),
        ({"ImageType": ["ORIGINAL", "PRIMARY"]}, None),
        ({"ImageType": "LOCALIZER"}, None),
        ({}, None),
    ]


class TestSliceGeometry(RowCallbackContract):
    plugin, name = row_callbacks, "slice-geometry"
    examples = [
        (
            {"PixelSpacing": [0.5, 0.25], "SliceThickness": "2", "Rows": 100, "Columns": 400},
            (0.5, 0.25, 2.0, 50.0, 100.0, 0.25),
        ),
        ({"ImagerPixelSpacing": [0.1, 0.1], "Rows": 100}, (None,) * 6),
    ]


def test_every_bundled_component_is_under_contract():
    classes = [each for each in globals().values() if isinstance(each, type)]
    tested = {(each.kind, each.name) for each in classes if hasattr(each, "name")}
    for offer in discover(PluginPlan(installed=False)).offers():
        assert (offer.kind, offer.component.name) in tested, f"{offer.kind} {offer.component.name}"
