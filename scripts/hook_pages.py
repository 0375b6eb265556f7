"""Write docs/hooks: a page for each hook, from its specification and bundled components.

python scripts/hook_pages.py            write the pages
python scripts/hook_pages.py --check    list outdated pages; exit code 1 if there are any
"""

from __future__ import annotations

import argparse
import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from pacsfw import api, hookspecs
from pacsfw.cli.plugins_show import Option, render
from pacsfw.plugins import HOOKS, PluginPlan, discover
from pacsfw.plugins.registry import Offer

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "hooks"
CONTRACTS = {
    "cohort": "Cohort",
    "query": "QueryProvider",
    "transfer": "Transfer",
    "layout": "Layout",
    "callback": "TagCallback",
    "row-callback": "RowCallback",
    "converter": "Converter",
    "sink": "Sink",
    "observer": "Observer",
}
"""The class of the components of each kind, in `pacsfw.api`."""
BESIDE = {
    "cohort": ("CohortRow", "CohortHeader", "CohortProblem"),
    "query": ("Query", "QueryRow", "QueryResult"),
    "transfer": ("Request", "Inbox", "SpoolFile", "Outcome"),
    "layout": ("Header",),
    "row-callback": ("Header", "Column"),
    "converter": ("Stored", "OutputFile"),
    "sink": ("Batch", "Table", "Column", "Verdict"),
    "observer": ("Event",),
}
"""What they get and give."""
RECORD = {
    "query": ("authoritative",),
    "transfer": ("needs_receiver",),
    "callback": ("returns",),
    "row-callback": ("columns", "returns"),
    "converter": ("scope",),
    "cohort": ("accepts",),
    "sink": ("accepts", "multi_table"),
}
"""What their `Component` says of them."""
REFERENCE = {
    "What a plugin offers": ("Component", "ConfigSection"),
    "The run, for `open`": ("RunContext", "ComponentInfo", "Clock", "Closing"),
    "Connections": ("Net", "Node", "DicomWeb", "Tls", "Accept", "KnownSender", "Limits", "Profile"),
    "Events, in the order of a run": (
        *("Event", "RunStarted", "ResourcesFound", "MoveStarted", "FilesParsed", "StudyStarted"),
        *("InstanceIngested", "StudySettled", "Converted", "Waiting", "Paused", "RunFinished"),
    ),
    "Verdicts": ("Verdict", "SeriesVerdict"),
}
"""The records that belong to no single hook, by heading of the page ``records.md``."""
GENERATED = "<!-- Made by scripts/hook_pages.py: edit the docstrings instead. -->"


def hooks() -> list[str]:
    """Return the names of all hooks, in the order of their specification."""
    return [name for name in vars(hookspecs) if name.startswith("pacsfw_")]


def pages() -> dict[str, str]:
    """Return all pages by file name."""
    offers = discover(PluginPlan(installed=False)).offers()
    found = {"README.md": _index(), "records.md": "\n".join(_records()).rstrip() + "\n"}
    for hook in hooks():
        kind = HOOKS.get(hook)
        mine = [offer for offer in offers if offer.kind == kind]
        found[f"{hook}.md"] = "\n".join(_page(hook, kind, mine)).rstrip() + "\n"
    return found


def _index() -> str:
    lines = ["# The hooks", "", GENERATED, ""]
    lines += ["[docs/plugins.md](../plugins.md) shows how to write a plugin. Every hook:", ""]
    for hook in hooks():
        doc = inspect.getdoc(getattr(hookspecs, hook)) or ""
        lines.append(f"* [{hook}]({hook}.md): {_code(doc.splitlines()[0])}")
    lines += ["", "[The records](records.md) that belong to no single hook: the run, the events."]
    return "\n".join(lines) + "\n"


def _records() -> Iterator[str]:
    yield from ("# The records of `pacsfw.api`", "", GENERATED, "")
    yield "Records only gain members. Those of one hook only are on its page."
    for heading, names in REFERENCE.items():
        yield from ("", f"## {heading}", "")
        for name in names:
            yield from (f"### `{name}`", "")
            yield from _described(name)


def _page(hook: str, kind: str | None, offers: list[Offer]) -> Iterator[str]:
    specification = getattr(hookspecs, hook)
    yield from (f"# {hook}", "", GENERATED, "")
    yield from (_code(inspect.getdoc(specification) or ""), "")
    signature = str(inspect.signature(specification)).replace("'", "")
    yield from ("```python", f"def {hook}{signature}", "```", "")
    if kind is None:
        return
    yield from _contract(kind)
    yield from (f"## Bundled components ({kind})", "")
    if not offers:
        yield from ("Nothing.", "")
    for offer in offers:
        yield from _component(offer)


def _contract(kind: str) -> Iterator[str]:
    name = CONTRACTS[kind]
    yield from (f"## The contract: `{name}`", "")
    yield from _described(name)
    yield f"`pacsfw.testing.{name}Contract` tests it."
    yield ""
    if kind in RECORD:
        yield from ("### Its `Component` says", "")
        yield from _members("Component", RECORD[kind])
        yield ""
    for other in BESIDE.get(kind, ()):
        yield from (f"### `{other}`", "")
        yield from _described(other)


def _described(name: str) -> Iterator[str]:
    """Describe a class or an alias of `pacsfw.api` from its source."""
    node, following = _definition(name)
    if not isinstance(node, ast.ClassDef):
        assert isinstance(node, ast.AnnAssign)
        value = ast.unparse(node.value) if node.value else ""
        unquoted = ast.literal_eval(value) if value[:1] in "'\"" else value
        yield from ("```python", f"{name} = {unquoted}", "```", "")
        yield from (_code(_text(following)), "")
        return
    yield from (_code(ast.get_docstring(node) or ""), "")
    yield from _members(name)
    yield ""


def _members(name: str, only: tuple[str, ...] = ()) -> Iterator[str]:
    """Describe the public members of a class of `pacsfw.api`, or some of them."""
    node, _ = _definition(name)
    assert isinstance(node, ast.ClassDef)
    for member, after in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(member, ast.FunctionDef) and not member.name.startswith("_") and not only:
            doc = _code(ast.get_docstring(member) or "")
            yield from (f"* **`{_signature(member)}`**", *_indented(doc))
        elif isinstance(member, ast.AnnAssign) and (not only or ast.unparse(member.target) in only):
            doc = _code(_text(after))
            yield from (f"* **`{ast.unparse(member)}`**", *_indented(doc))


def _signature(member: ast.FunctionDef) -> str:
    returns = ast.unparse(member.returns) if member.returns else "None"
    if any(ast.unparse(each) == "property" for each in member.decorator_list):
        return f"{member.name}: {returns}"
    arguments = ast.unparse(member.args).removeprefix("self").removeprefix(", ")
    return f"{member.name}({arguments}) -> {returns}"


def _definition(name: str) -> tuple[ast.stmt, ast.stmt | None]:
    """Return a definition in `pacsfw.api`, and the next statement, which may be its docstring."""
    for path in sorted(Path(inspect.getfile(api)).parent.glob("*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for node, following in zip(body, [*body[1:], None], strict=True):
            target = getattr(node, "target", None)
            if getattr(node, "name", None) == name or getattr(target, "id", None) == name:
                return node, following
    raise LookupError(f"pacsfw.api has no {name}")


def _text(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return inspect.cleandoc(str(node.value.value))
    return ""


def _component(offer: Offer) -> Iterator[str]:
    shown = render(offer)
    yield from (f"### {offer.component.name}", "")
    yield from (f"{_cell(offer.component.summary)}", "")
    if offer.component.accepts:
        yield from (f"Claims {', '.join(f'`{each}`' for each in offer.component.accepts)}.", "")
    if offer.component.requires:
        yield from (f"Needs {', '.join(f'`{each}`' for each in offer.component.requires)}.", "")
    if shown.options:
        yield from ("| option | | |", "|---|---|---|")
        for option in shown.options:
            yield _row(option)
        yield ""
    yield from ("```yaml", shown.example, "```", "")


def _row(option: Option) -> str:
    worth = f"{option.type}, {option.worth}"
    return f"| `{option.name}` | {_cell(worth)} | {_cell(option.description)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _code(text: str) -> str:
    """Convert the markup of docstrings to Markdown."""
    sections = re.sub(r"^(Parameters|Returns|Yields|Raises)\n-+$", r"*\1*\n", text, flags=re.M)
    return sections.replace("``", "`")


def _indented(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield f"  {line}".rstrip()


def main() -> int:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description="Write docs/hooks from the specifications.")
    parser.add_argument(
        "--check", action="store_true", help="only compare; exit code 1 if they differ"
    )
    check = parser.parse_args().check
    there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    made = pages()
    stale = sorted(name for name in {*there, *made} if there.get(name) != made.get(name))
    for name in stale:
        if check:
            print(f"docs/hooks/{name} is outdated: run make hook-pages")
        elif name in made:
            FOLDER.mkdir(exist_ok=True)
            (FOLDER / name).write_text(made[name], encoding="utf-8")
        else:
            (FOLDER / name).unlink()
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
