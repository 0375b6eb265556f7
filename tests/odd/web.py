"""A small DICOMweb server, and servers that are odd in one way each.

`Web` is correct. Each subclass does what servers in the field do, as its docstring says.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from pydicom import dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword

from pacsfw.dicom.matching import matches
from pacsfw.testing import Study, write_studies

KEYS = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}
LEVELS = {"studies": "STUDY", "series": "SERIES", "instances": "IMAGE"}
USUAL = {
    "STUDY": ["StudyInstanceUID", "StudyDate", "StudyTime", "PatientName", "PatientID"],
    "SERIES": ["StudyInstanceUID", "SeriesInstanceUID", "Modality"],
    "IMAGE": ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"],
}
COUNTS = (
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
    "NumberOfSeriesRelatedInstances",
)
PARAMETERS = {"limit", "offset", "includefield", "fuzzymatching"}
JSON = {"Content-Type": "application/dicom+json"}


@dataclass
class Call:
    """A request: the UIDs in its path by collection, its query, and how to answer it."""

    number: int
    uids: Mapping[str, str]
    level: str
    """Of a search; empty for a retrieve."""
    query: list[tuple[str, str]]
    accept: str
    handler: BaseHTTPRequestHandler

    def parameter(self, name: str, default: int) -> int:
        return int(dict(self.query).get(name, default))

    @property
    def keys(self) -> list[str]:
        """Names of the attributes in the query, to match or to return."""
        fields = [value for key, value in self.query if key == "includefield"]
        return [key for key, _ in self.query if key not in PARAMETERS] + fields


@dataclass
class Instance:
    header: Mapping[str, str]
    content: bytes


class Web:
    """A correct server over some studies; a context manager."""

    max_limit = 1000
    boundary = "XXBOUNDARYXX"
    content_type = 'multipart/related; type="application/dicom"; boundary={boundary}'

    def __init__(self, studies: Sequence[Study], **_: Any) -> None:
        with tempfile.TemporaryDirectory(prefix="odd-web-") as folder:
            paths = write_studies(Path(folder), studies)
            self.instances = [Instance(header_of(path), path.read_bytes()) for path in paths]
        self.calls: list[Call] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                web.answer(web.call(self))

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                pass  # a client may go away in the middle

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/dicom-web"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def uids(self, level: str, study: str = "") -> set[str]:
        held = [each.header for each in self.instances]
        return {head[KEYS[level]] for head in held if study in ("", head["StudyInstanceUID"])}

    # --- answering ---

    def call(self, handler: BaseHTTPRequestHandler) -> Call:
        url = urlsplit(handler.path)
        names = url.path.removeprefix("/dicom-web").strip("/").split("/")
        level = LEVELS[names[-1]] if len(names) % 2 else ""
        query = parse_qsl(url.query, keep_blank_values=True)
        accept = handler.headers.get("Accept", "")
        uids = dict(zip(names[0::2], names[1::2], strict=False))
        made = Call(len(self.calls) + 1, uids, level, query, accept, handler)
        self.calls.append(made)
        return made

    def answer(self, call: Call) -> None:
        if call.level:
            self.search(call)
        else:
            self.retrieve(call)

    def send(
        self, call: Call, status: int, body: bytes = b"", headers: Mapping[str, str] = {}
    ) -> None:
        call.handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            call.handler.send_header(name, value)
        call.handler.end_headers()
        call.handler.wfile.write(body)

    def addressed(self, call: Call) -> list[Instance]:
        keys = [(KEYS[LEVELS[name]], uid) for name, uid in call.uids.items()]
        return [
            each for each in self.instances if all(each.header[key] == uid for key, uid in keys)
        ]

    # --- search ---

    def search(self, call: Call) -> None:
        rows = [self.row(call, group) for group in self.groups(call)]
        limit, offset = call.parameter("limit", self.max_limit), call.parameter("offset", 0)
        self.send_rows(call, rows[offset : offset + min(limit, self.max_limit)])

    def send_rows(self, call: Call, rows: list[Any]) -> None:
        if rows:
            self.send(call, 200, json.dumps(rows).encode(), JSON)
        else:
            self.send(call, 204)

    def groups(self, call: Call) -> Iterable[list[Instance]]:
        """Return the instances of each entity that matches."""
        found: dict[str, list[Instance]] = {}
        for each in self.addressed(call):
            found.setdefault(each.header[KEYS[call.level]], []).append(each)
        return [group for group in found.values() if all(self.fits(call, group))]

    def fits(self, call: Call, group: list[Instance]) -> Iterable[bool]:
        for name, pattern in call.query:
            keyword = self.keyword(name)
            if keyword and pattern:
                vr = dictionary_VR(keyword)
                texts = {text for each in group for text in value(keyword, [each]).split("\\")}
                yield matches(vr, pattern.replace(",", "\\"), sorted(texts))

    def keyword(self, name: str) -> str:
        return name if name not in PARAMETERS and tag_for_keyword(name) else ""

    def row(self, call: Call, group: list[Instance]) -> dict[str, Any]:
        fields = [value for key, value in call.query if key == "includefield"]
        asked = [self.keyword(name) for name in [*USUAL[call.level], *fields]]
        return {
            f"{tag_for_keyword(key):08X}": element(key, value(key, group)) for key in asked if key
        }

    # --- retrieve ---

    def retrieve(self, call: Call) -> None:
        found = self.addressed(call)
        if not found:
            self.send(call, 404)
            return
        headers = {"Content-Type": self.content_type.format(boundary=self.boundary)}
        self.send(call, 200, self.body(found), headers)

    def body(self, instances: Sequence[Instance]) -> bytes:
        delimiter = b"\r\n--" + self.boundary.encode()
        head = b"\r\nContent-Type: application/dicom\r\n\r\n"
        return b"".join(delimiter + head + each.content for each in instances) + (
            delimiter + b"--\r\n"
        )


def header_of(path: Path) -> Mapping[str, str]:
    dataset = dcmread(path, stop_before_pixels=True)
    plain = [each for each in dataset if each.VR != "SQ" and each.keyword]
    return {each.keyword: str(each.value if each.value is not None else "") for each in plain}


def value(keyword: str, group: Sequence[Instance]) -> str:
    """Return the value of an attribute of a study, series or instance."""
    if keyword == "ModalitiesInStudy":
        return "\\".join(sorted({each.header["Modality"] for each in group}))
    if keyword == "NumberOfStudyRelatedSeries":
        return str(len({each.header["SeriesInstanceUID"] for each in group}))
    if keyword in COUNTS:
        return str(len(group))
    return group[0].header.get(keyword, "")


def element(keyword: str, text: str) -> dict[str, Any]:
    vr = dictionary_VR(keyword)
    if not text:
        return {"vr": vr}
    values = text.split("\\")
    return {"vr": vr, "Value": [{"Alphabetic": each} if vr == "PN" else each for each in values]}


# --- searches ---------------------------------------------------------------------------------


class JsonOnly(Web):
    """Offers application/json alone, and does not look for it in a list of media types."""

    def search(self, call: Call) -> None:
        if call.accept == "application/json":
            super().search(call)
        else:
            self.send(call, 406)


class TagsOnly(Web):
    """Knows attributes by tag, and answers keywords with an error page."""

    def keyword(self, name: str) -> str:
        named = {f"{tag_for_keyword(key):08X}": key for key in self.instances[0].header}
        named |= {f"{tag_for_keyword(key):08X}": key for key in ("ModalitiesInStudy", *COUNTS)}
        return (
            name
            if name in USUAL["STUDY"] + USUAL["SERIES"] + USUAL["IMAGE"]
            else named.get(name, "")
        )

    def search(self, call: Call) -> None:
        if any(map(tag_for_keyword, call.keys)):
            self.send(call, 500, b"<html><title>NullPointerException</title></html>")
        else:
            super().search(call)


class SmallPages(Web):
    """Refuses a limit above 15, and says so."""

    def search(self, call: Call) -> None:
        if call.parameter("limit", 0) > 15:
            why = {"error": {"message": "limit must be between 1 and 15"}}
            self.send(call, 400, json.dumps(why).encode(), {"Content-Type": "application/json"})
        else:
            super().search(call)


class NoTimes(Web):
    """Refuses StudyTime, to match and to return, and names it."""

    def search(self, call: Call) -> None:
        if "StudyTime" in call.keys:
            self.send(call, 400, b"Invalid query. Unknown attribute 'StudyTime'")
        else:
            super().search(call)


class WarnsAlways(Web):
    """Warns in every answer that it ignores a parameter."""

    def send(
        self, call: Call, status: int, body: bytes = b"", headers: Mapping[str, str] = {}
    ) -> None:
        warning = '299 pacs "The includefield parameter StudyID is not supported"'
        super().send(call, status, body, {**headers, "Warning": warning})


class SingleRows(Web):
    """Sends one row as an object, not as a list."""

    def send_rows(self, call: Call, rows: list[Any]) -> None:
        super().send_rows(call, rows[0] if len(rows) == 1 else rows)


class FailsNowAndThen(Web):
    """Answers every fifth request with 500."""

    def answer(self, call: Call) -> None:
        if call.number % 5:
            super().answer(call)
        else:
            self.send(call, 500, b"<html>Internal error</html>")


# --- retrieves --------------------------------------------------------------------------------


class PickyAccept(Web):
    """Answers 400 where others say 406, if ``transfer-syntax=*`` is requested."""

    status = 400

    def retrieve(self, call: Call) -> None:
        if "transfer-syntax=*" in call.accept:
            self.send(call, self.status, b"cannot transcode to *")
        else:
            super().retrieve(call)


class PickyAccept415(PickyAccept):
    """The same with 415."""

    status = 415


class NoStudies(Web):
    """Retrieves series and instances, and refuses whole studies."""

    status = 403

    def retrieve(self, call: Call) -> None:
        if "series" in call.uids:
            super().retrieve(call)
        else:
            self.send(call, self.status, b"<html>retrieve of studies</html>")


class NoStudies404(NoStudies):
    """The same with 404."""

    status = 404


class NoStudies406(NoStudies):
    """The same with 406."""

    status = 406


class NoStudies504(NoStudies):
    """A proxy loses patience with whole studies."""

    status = 504


class InstancesOnly(Web):
    """Retrieves single instances only."""

    def retrieve(self, call: Call) -> None:
        if "instances" in call.uids:
            super().retrieve(call)
        else:
            self.send(call, 400, b"instances only")


class NothingAllowed(Web):
    """Lists everything, and permits no retrieve."""

    def retrieve(self, call: Call) -> None:
        self.send(call, 403, b"no right to retrieve")


class LineFeeds(Web):
    """Ends the lines around parts with LF."""

    def body(self, instances: Sequence[Instance]) -> bytes:
        return b"".join(
            b"\n--"
            + self.boundary.encode()
            + b"\nContent-Type: application/dicom\n\n"
            + one.content
            for one in instances
        ) + (b"\n--" + self.boundary.encode() + b"--\n")


class NoBoundary(Web):
    """Does not name the boundary."""

    content_type = 'multipart/related; type="application/dicom"'


class BoundaryWithDashes(Web):
    """Names the boundary with the dashes of the delimiter."""

    content_type = 'multipart/related; type="application/dicom"; boundary=--{boundary}'


class NoClosing(Web):
    """Omits the closing delimiter."""

    def body(self, instances: Sequence[Instance]) -> bytes:
        return super().body(instances)[: -len(f"\r\n--{self.boundary}--\r\n")]


class HalfAtTheEnd(NoClosing):
    """Sends half of the last instance of a whole study, in a response that looks whole."""

    def body(self, instances: Sequence[Instance]) -> bytes:
        whole = super().body(instances)
        series = {each.header["SeriesInstanceUID"] for each in instances}
        return whole[: -len(instances[-1].content) // 2] if len(series) > 1 else whole


class NoParts(Web):
    """Sends a multipart response without a part."""

    def body(self, instances: Sequence[Instance]) -> bytes:
        return b""
