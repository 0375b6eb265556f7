"""Play a new author of a plugin: scaffold, edit one line, install, test, run the demo with it.

    python scripts/new_author.py layout [--clean] [--folder DIR]

With --clean, the package is installed in a separate virtual environment, as an editable install.
Otherwise, a wheel is built and unpacked next to it. Nothing is downloaded: dependencies come from
the environment that runs this. Prints the CPU time used, and fails if a step fails or the demo
does not show the effect of the edited line.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import socket
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pacsfw.cli.demo import AETITLE, HOST, PACS_AETITLE, TEMPLATE
from pacsfw.testing import make_studies, write_studies

STUDIES = 3
SECONDS = 60


@dataclass(frozen=True)
class Play:
    """The edit for a kind, how the demo uses it, and the expected effect."""

    line: str
    instead: str
    configuration: tuple[tuple[str, str], ...]
    seen: Callable[[Path, str], bool]


def texts(folder: Path, pattern: str) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted(folder.rglob(pattern))]


def table(folder: Path, name: str = "resources_meta.csv") -> list[dict[str, str]]:
    with (folder / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


PLAYS = {
    "layout": Play(
        '"no date")[:4]',
        '"no date")[:6]',
        (("sort_by: PATIENT", "sort_by: my-layout"),),
        lambda demo, _: bool(list(demo.glob("dicom/2020??/*/*.dcm"))),
    ),
    "callback": Play(
        ".strip().lower()",
        '.strip().lower().replace("ct", "tomography")',
        (("  - tag_name: Modality\n", "  - tag_name: Modality\n    callback: my-callback\n"),),
        lambda demo, _: "tomography" in {row["Modality"] for row in table(demo)},
    ),
    "row-callback": Play(
        '"frames": int(header.get("NumberOfFrames") or 1),',
        '"frames": int(header.get("NumberOfFrames") or 1),  # of each instance',
        (("tags:\n", "tags:\n  - row_callback: my-row-callback\n"),),
        lambda demo, _: {row["frames"] for row in table(demo)} == {"1"},
    ),
    "converter": Play(
        '.series_uid}.txt"',
        '.series_uid}.list"',
        (("tags:\n", "convert:\n  - my-converter\ntags:\n"),),
        lambda demo, _: any(" CT " in text for text in texts(demo / "dicom", "*.list")),
    ),
    "sink": Play(
        '{"key": batch.key,',
        '{"study": batch.key,',
        (("tags:\n", "sinks:\n  - {use: my-sink, with: {path: table}}\ntags:\n"),),
        lambda demo, _: all("study" in json.loads(t) for t in texts(demo / "table", "*") or ["{}"]),
    ),
    "observer": Play(
        "studies, exit code {",
        "studies, the end is {",
        (("tags:\n", "observers:\n  - {use: my-observer, with: {path: told.txt}}\ntags:\n"),),
        lambda demo, _: "studies, the end is 0" in (demo / "told.txt").read_text(),
    ),
    "query": Play(
        '"the table was read to its end"',
        '"the whole table was read"',
        (("find:\n", "find:\n  use: my-query\n  with: {path: ../table.csv}\n"),),
        lambda demo, _: len(table(demo, "resources.csv")) == 1,
    ),
    "cohort": Play(
        "if line.strip()",
        'if line.strip() and not line.startswith("#")',
        (("find:\n", "find:\n  cohort: {use: my-cohort, with: {path: ../numbers.txt}}\n"),),
        lambda demo, _: len(table(demo, "resources.csv")) == 1,
    ),
    "transfer": Play(
        '{taken} files", completed',
        '{taken} files copied", completed',
        (("move:\n", "move:\n  use: my-transfer\n  with: {path: ../files}\n"),),
        lambda demo, _: len(list(demo.rglob("dicom/**/*.dcm"))) > 0,
    ),
    "command": Play(
        '"""Say hello."""',
        '"""Greet somebody."""',
        (),
        lambda _, said: "Greet somebody" in said,
    ),
    "section": Play(
        '"minimum": 2000',
        '"minimum": 1990',
        (("tags:\n", "my-section: {project: P7, ends: 2020}\ntags:\n"),),
        lambda demo, _: bool(table(demo)),
    ),
    "secret": Play(
        "the store has no entry",
        "the vault has no entry",
        (("default_val: U", "default_val: ${my-secret:door}"),),
        lambda demo, _: {row["Laterality"] for row in table(demo)} == {"door"},
    ),
}


class Author:
    """Runs the commands that an author would type."""

    def __init__(self, kind: str, folder: Path, *, clean: bool) -> None:
        self.kind, self.folder, self.play = kind, folder, PLAYS[kind]
        self.name = f"pacsfw-my-{kind}"
        self.package = folder / self.name
        self.site = folder / "site"
        self.clean = clean
        self.python = str(folder / "venv" / "bin" / "python") if clean else sys.executable

    def run(self, *words: str, cwd: Path | None = None) -> str:
        path = os.pathsep.join([str(self.site), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [self.python, "-m", *words],
            cwd=cwd or self.folder,
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != 0:
            sys.exit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout}")
        return done.stdout

    def scaffold_and_edit(self) -> None:
        self.run("pacsfw", "plugins", "new", self.name, "--kind", self.kind)
        code = self.package / f"{self.name.replace('-', '_')}.py"
        text = code.read_text(encoding="utf-8")
        if text.count(self.play.line) != 1:
            sys.exit(f"{code}: the line to edit is missing: {self.play.line}")
        code.write_text(text.replace(self.play.line, self.play.instead), encoding="utf-8")

    def install(self) -> None:
        offline = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
        if self.clean:
            self.run("pip", "install", *offline, "--editable", str(self.package))
        else:
            self.run("pip", "install", *offline, "--target", str(self.site), str(self.package))

    def make_environment(self) -> None:
        """Create a clean environment that sees the packages of this one."""
        venv.create(self.folder / "venv", with_pip=True)
        theirs = Path(sysconfig.get_path("purelib", "venv", {"base": str(self.folder / "venv")}))
        ours = sysconfig.get_path("purelib")
        # Through `site`, so that the .pth files of editable installs are processed as well.
        (theirs / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")

    def test(self) -> None:
        self.run("pytest", "-q", "-p", "no:cacheprovider", str(self.package))
        if "pacsfw-my" not in self.run("pacsfw", "plugins", "list"):
            sys.exit("`pacsfw plugins list` does not show it")

    def demo(self) -> None:
        demo = self.folder / "demo"
        demo.mkdir()
        with socket.create_server((HOST, 0)) as ours, socket.create_server((HOST, 0)) as theirs:
            port, pacs_port = ours.getsockname()[1], theirs.getsockname()[1]
        text = TEMPLATE.format(
            studies=STUDIES,
            aetitle=AETITLE,
            port=port,
            host=HOST,
            pacs_aetitle=PACS_AETITLE,
            pacs_port=pacs_port,
        )
        for old, new in self.play.configuration:
            if old not in text:
                sys.exit(f"the configuration of the demo has no {old!r}")
            text = text.replace(old, new, 1)
        (demo / "conf.yaml").write_text(text, encoding="utf-8")
        (demo / "conf.yaml").chmod(0o600)
        self.lay_out()
        said = self.run("pacsfw", "demo", "--directory", str(demo))
        said += self.run("pacsfw", "--help")
        if not self.play.seen(demo, said):
            sys.exit(f"the demo does not show the effect of the edited line\n{said}")

    def lay_out(self) -> None:
        """Write the data that the demo of a query or a transfer reads instead of the PACS."""
        studies = make_studies(STUDIES)
        if self.kind == "transfer":
            write_studies(self.folder / "files", studies)
        if self.kind == "cohort":
            (self.folder / "numbers.txt").write_text(
                f"# ordered\n{next(studies[0].datasets()).AccessionNumber}\n"
            )
        if self.kind == "query":
            first = next(study for study in studies if "CT" in study.modalities)
            row = f"{first.uid},{first.patient_id},{first.study_date},CT\n"
            header = "StudyInstanceUID,PatientID,StudyDate,ModalitiesInStudy\n"
            (self.folder / "table.csv").write_text(header + row, encoding="utf-8")


def spent() -> float:
    """Return the CPU seconds of this process and its finished child processes."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=PLAYS)
    parser.add_argument("--clean", action="store_true", help="use a separate environment")
    parser.add_argument("--folder", type=Path, help="an empty working folder")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="new-author-"))
    author = Author(options.kind, folder.absolute(), clean=options.clean)
    if options.clean:
        author.make_environment()
    begin = spent()
    for step in (author.scaffold_and_edit, author.install, author.test, author.demo):
        before = spent()
        step()
        print(f"{step.__name__}: {spent() - before:.1f} s")
    took = spent() - begin
    print(f"{options.kind}: {took:.1f} s of CPU time")
    if took > SECONDS:
        sys.exit(f"exceeds the limit of {SECONDS} s")


if __name__ == "__main__":
    main()
