"""The contracts of the plugins of the cookbook, run in a folder that holds them."""

import json
import sqlite3
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import afterwards
import age_band
import by_modality
import numbers_file
import pytest
import rest
import ris
import series_list
import share
import uptake
from pydicom.dataset import Dataset

from pacsfw.testing import (
    CohortContract,
    ConverterContract,
    LayoutContract,
    ObserverContract,
    QueryProviderContract,
    RowCallbackContract,
    SinkContract,
    TagCallbackContract,
    TransferContract,
    write_studies,
)


def injected(time):
    item = Dataset()
    item.RadiopharmaceuticalStartTime = time
    return item


class TestByModality(LayoutContract):
    plugin, name = by_modality, "by-modality"


class TestAgeBand(TagCallbackContract):
    plugin, name = age_band, "age-band"
    options = {"width": 5}
    examples = [("007Y", "5-9"), ("018M", "0-4")]


class TestUptake(RowCallbackContract):
    plugin, name = uptake, "uptake"
    examples = [
        ({"AcquisitionTime": "113000"}, {}),
        (
            {
                "RadiopharmaceuticalInformationSequence": [injected("103000.5")],
                "AcquisitionTime": "113000",
            },
            {"uptake_s": 3599.5, "uptake_is_odd": False},
        ),
    ]


class TestAfterwards(ObserverContract):
    plugin, name = afterwards, "afterwards"
    options = {"command": ["true"]}


class TestNumbersFile(CohortContract):
    plugin, name = numbers_file, "numbers-file"
    options = {"path": "numbers.txt"}
    columns = ("AccessionNumber",)

    @contextmanager
    def holding(self, rows, folder):
        path = folder / "numbers.txt"
        path.write_text("\n".join(row["AccessionNumber"] for row in rows), encoding="utf-8")
        yield {"path": str(path)}


class TestSeriesList(ConverterContract):
    plugin, name = series_list, "series-list"


class TestShare(TransferContract):
    plugin, name = share, "share"
    options = {"path": "somewhere"}

    @contextmanager
    def serving(self, studies, folder, inbox):
        for study in studies:
            write_studies(folder / "share" / study.uid, [study])
        yield {"path": str(folder / "share")}


class TestRis(QueryProviderContract):
    plugin, name = ris, "ris"
    options = {"path": "somewhere"}

    @contextmanager
    def serving(self, studies, folder):
        path = folder / "ris.sqlite"
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE orders (uid, patient, day, state)")
            rows = [(study.uid, study.patient_id, study.study_date, "done") for study in studies]
            database.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", rows)
        database.close()
        yield {"path": str(path)}


class Service(BaseHTTPRequestHandler):
    """Keeps what is PUT."""

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.kept[self.path] = json.loads(body)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class TestRest(SinkContract):
    plugin, name = rest, "rest"

    @pytest.fixture(autouse=True)
    def _service(self):
        with ThreadingHTTPServer(("127.0.0.1", 0), Service) as self.server:
            self.server.kept = {}
            Thread(target=self.server.serve_forever, daemon=True).start()
            yield
            self.server.shutdown()

    def options_in(self, folder):
        return {"url": f"http://127.0.0.1:{self.server.server_port}/api"}

    def rows(self, folder):
        return [row for rows in self.server.kept.values() for row in rows]
