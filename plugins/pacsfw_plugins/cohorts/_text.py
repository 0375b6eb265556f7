"""Read the rows of a CSV or JSON Lines file. No message repeats a cell."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

from pacsfw.api import Cohort, CohortHeader, CohortProblem, CohortRow
from pacsfw.errors import ConfigError
from pacsfw.regular import open_regular

_JSON = (".jsonl", ".ndjson")
_DELIMITERS = ",;\t"


class TextCohort(Cohort):
    """The rows of a text file in UTF-8; the suffix of its name says how it is written."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def rows(self) -> Iterator[CohortRow | CohortHeader | CohortProblem]:
        """Yield the rows.

        Raises
        ------
        ConfigError
            The file cannot be read.
        """
        text = self._text()
        is_json = self._path.suffix.lower() in _JSON
        return self._json_rows(text) if is_json else self._csv_rows(text)

    def _text(self) -> str:
        try:
            with open_regular(self._path) as file:
                content = file.read()
        except OSError as err:
            raise ConfigError(f"{self._path}: cannot be read: {err.strerror}") from err
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as err:
            line = content.count(b"\n", 0, err.start) + 1
            # The cause would quote the file in the traceback.
            raise ConfigError(
                f"{self._at(line)}: is not UTF-8 text; save the file as UTF-8"
            ) from None

    def _at(self, line: int) -> str:
        return f"{self._path.name}:{line}"

    def _csv_rows(self, text: str) -> Iterator[CohortRow | CohortHeader | CohortProblem]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
        columns: list[str] | None = None
        line = 1
        try:
            for record in reader:
                if record and columns is None:
                    columns = record
                    yield CohortHeader(self._at(line), columns)
                elif record and len(record) != len(columns or ()):
                    named = f"where the header names {len(columns or ())} columns"
                    yield CohortProblem(self._at(line), f"has {len(record)} cells {named}")
                elif record:
                    yield CohortRow(self._at(line), list(zip(columns or (), record, strict=True)))
                line = reader.line_num + 1
        except csv.Error as err:
            yield CohortProblem(self._at(line), f"is not CSV: {err}")

    def _json_rows(self, text: str) -> Iterator[CohortRow | CohortProblem]:
        for line, record in enumerate(text.split("\n"), start=1):
            if not record.strip():
                continue
            try:
                # Only objects become tuples; arrays stay lists.
                pairs = json.loads(record, object_pairs_hook=tuple)
            except (ValueError, RecursionError):
                yield CohortProblem(self._at(line), "is not JSON")
                continue
            if isinstance(pairs, tuple):
                yield CohortRow(self._at(line), pairs)
            else:
                yield CohortProblem(self._at(line), "is not a JSON object")


def _delimiter(text: str) -> str:
    """Return the delimiter: the character that gives the header the most columns."""
    header = next((line for line in io.StringIO(text) if line.strip()), "")
    return max(_DELIMITERS, key=header.count)
