"""``pacsfw parse-conf``: write a file that lists tags, for ``pacsfw parse -f``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pacsfw.cli.new_file import see_that_it_can_be_written, write
from pacsfw.errors import ConfigError

if TYPE_CHECKING:
    from pacsfw.steps.tags.proposal import ProposedTag

FILE = "tags.yaml"
_SUFFIXES = {".yaml", ".yml", ".json"}

HEAD = """\
Tags for `pacsfw parse -i FOLDER -f {name} -o table.csv`; or copy them into a configuration.
Delete the tags that you do not want as columns."""
OF_SAMPLE = "\nThese tags have a value in the sample file. This file contains none of the values."
MARKED = (
    "\nMarked tags can identify a patient: keep only those that you need and are allowed to have."
)


@click.command("parse-conf", short_help="Write a file that lists tags, for `parse -f`.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path(FILE),
    show_default=True,
    help="File to write: .yaml, or .json (without comments).",
)
@click.option(
    "--from",
    "sample",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="List the tags that have a value in this DICOM file, without prompts.",
)
@click.option(
    "--without-identifying",
    is_flag=True,
    help="Leave out tags that can identify a person or place, dates and UIDs.",
)
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
def command(output: Path, sample: Path | None, without_identifying: bool, force: bool) -> None:
    """Write a file that lists tags, from a sample file or from prompts.

    Each tag gets a column name and a suitable type. Tags that can identify a patient are
    marked. No value of the sample is shown or written.
    """
    if output.suffix.lower() not in _SUFFIXES:
        raise ConfigError(f"{output}: use a name that ends in .yaml or .json")
    see_that_it_can_be_written(output, force=force)
    tags = _of_sample(sample) if sample else _asked()
    if without_identifying:
        tags = [tag for tag in tags if not tag.concern]
    if not any(not tag.optional for tag in tags):
        raise ConfigError(f"{output}: not written: no tag is left")
    _write(output, tags, of_sample=sample is not None)
    marked = sum(bool(tag.concern) for tag in tags if not tag.optional)
    number = sum(not tag.optional for tag in tags)
    click.echo(f"{output}: written, {number} tags, {marked} of them marked")
    click.echo(f"edit it, then run: pacsfw parse -i FOLDER -f {output} -o table.csv")


def _write(path: Path, tags: Sequence[ProposedTag], *, of_sample: bool) -> None:
    from pacsfw.config import tags_of_tree
    from pacsfw.plugins import PluginPlan, discover
    from pacsfw.steps.tags.proposal import as_json, as_yaml

    # The file must load: an error is better found here than at its first use.
    tags_of_tree([tag.tree() for tag in tags], discover(PluginPlan()))
    head = HEAD.format(name=path.name) + (OF_SAMPLE if of_sample else "") + MARKED
    write(path, as_json(tags) if path.suffix.lower() == ".json" else as_yaml(tags, head))


def _of_sample(path: Path) -> list[ProposedTag]:
    from pacsfw.dicom.decoding_errors import UnreadableObject
    from pacsfw.dicom.header import read_header
    from pacsfw.steps.tags.proposal import filled

    try:
        return list(filled(read_header(path)))
    except UnreadableObject as err:
        raise ConfigError(f"{path}: {err.fault}") from err
    except OSError as err:
        raise ConfigError(f"{path}: cannot be read: {err.strerror}") from err


def _asked() -> list[ProposedTag]:
    """Prompt for one tag after another, until a prompt is left blank."""
    click.echo("Tags are DICOM keywords (PatientID) or paths (ViewCodeSequence.CodeMeaning).")
    tags: list[ProposedTag] = []
    while names := _names():
        tags.append(_about(names, taken={each.alias for each in tags}))
    return tags


def _names() -> list[str]:
    from pacsfw.steps.tags.proposal import proposed

    names: list[str] = []
    while True:
        question = "Fallback if it has no value" if names else "Tag"
        name = click.prompt(f"{question} (blank: none)", default="", show_default=False).strip()
        if not name:
            return names
        try:
            proposed([name])
        except ValueError as err:
            click.echo(f"  {err}")
            continue
        names.append(name)


def _about(names: Sequence[str], taken: set[str]) -> ProposedTag:
    from pacsfw.steps.tags.proposal import proposed

    tag = proposed(names)
    if tag.concern:
        click.echo("  can identify a patient: marked in the file")
    while True:
        alias = click.prompt("  Column name", default=tag.alias).strip()
        if alias not in taken:
            break
        click.echo(f"  column {alias!r} already exists")
    default = click.prompt(
        "  Default for a missing value (blank: none)", default="", show_default=False
    )
    return replace(tag, alias=alias, default=default.strip())
