"""The profile as a readable file for `net.called_node.profile`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pacsfw import __version__
from pacsfw.api import Net
from pacsfw.config.yaml_text import dump
from pacsfw.probe.findings import Finding, Findings, Topic

_LISTS: tuple[tuple[str, Topic, bool, str], ...] = (
    ("models", "model", True, "Services that the PACS accepts from us."),
    ("returned", "returned", True, "Optional attributes that it returns for studies."),
    ("not_returned", "returned", False, "Requested, but not returned."),
    ("refused_keys", "refused", True, "Keys that it refuses: a query with one of them fails."),
    ("honoured", "match", True, "Keys that it matches in queries for studies."),
    ("ignored", "match", False, "Keys that it ignores: it returns studies that do not match."),
    ("wildcards", "wildcard", True, "Honoured keys that support the wildcard *."),
    ("ranges", "range", True, "Honoured keys that support ranges."),
    (
        "before_limit",
        "before_limit",
        True,
        "Optional keys that it applies before it cuts a result; pacsfw matches the others.",
    ),
)
"""Key of the file, topic of the findings, their result, and the comment."""

_SCALARS: tuple[tuple[str, Topic, str, str], ...] = (
    ("folds_case", "case", "PatientName", "Whether names match regardless of case."),
    ("limit", "limit", "", "Rows after which it cuts a query result; null: no limit was seen."),
    ("rows_seen", "rows_seen", "", "The most rows in one query result."),
    ("charset", "charset", "", "Specific Character Set of its query results."),
    (
        "retrieve_aetitle",
        "retrieve_aetitle",
        "",
        "From where studies can be retrieved; if it is another AE title: net.retrieve_node.",
    ),
    ("associations", "associations", "", "Number of associations it serves at the same time."),
)


def tree(findings: Findings, net: Net, at: datetime) -> dict[str, Any]:
    """Return the content of the profile file."""
    profile = findings.profile(net, at)
    return {
        "format": 1,
        "probed_at": profile.probed_at,
        "pacsfw": __version__,
        "calling": profile.calling,
        "called": {"aetitle": profile.called, "ip": profile.ip, "port": profile.port},
        **{key: sorted(getattr(profile, key)) for key, *_ in _LISTS},
        **{key: getattr(profile, key) for key, *_ in _SCALARS},
    }


def yaml_file(findings: Findings, net: Net, at: datetime) -> str:
    """Return the profile as YAML, with the evidence of each finding as a comment."""
    whole = tree(findings, net, at)
    begin = {key: whole[key] for key in ("format", "probed_at", "pacsfw", "calling", "called")}
    parts = [
        "# The capabilities of a PACS, found by `pacsfw probe`; for net.called_node.profile.\n"
        "# It contains no patient data. Edit it only if you know better.\n\n" + dump(begin)
    ]
    for key, topic, result, words in _LISTS:
        parts.append("\n".join([f"# {words}", *_list(key, topic, result, findings)]) + "\n")
    for key, topic, subject, words in _SCALARS:
        evidence = [f"# {_line(each, subject)}" for each in findings.of(topic)]
        parts.append("\n".join([f"# {words}", *evidence, dump({key: whole[key]})]))
    return "\n".join(parts)


def _list(key: str, topic: Topic, result: bool, findings: Findings) -> Iterator[str]:
    of_topic = findings.of(topic)
    chosen = [each for each in of_topic if each.result is result]
    yield f"{key}:" if chosen else f"{key}: []"
    for each in chosen:
        yield f"  - {each.subject}  # {each.evidence}"
    if result:
        lists = {other for _, each, other, _ in _LISTS if each == topic}
        for each in of_topic:
            if each.result not in lists:
                yield f"  # {'no' if each.result is False else 'not known'}: {_line(each)}"


def _line(finding: Finding, expected: str = "") -> str:
    subject = "" if finding.subject == expected else f"{finding.subject}: "
    return f"{subject}{finding.evidence}"


def overview(findings: Findings, net: Net) -> list[tuple[str, str]]:
    """Return a short table of the experiments and their results."""
    called = net.called
    assert called is not None  # noqa: S101 - it was probed

    def those(topic: Topic, result: bool | None = True) -> str:
        found = [each.subject for each in findings.of(topic) if each.result is result]
        return ", ".join(found) or "none"

    def scalar(topic: Topic, subject: str = "") -> str:
        finding = next((each for each in findings.of(topic) if each.subject == subject), None)
        if finding is None:
            return "not tested"
        words = {None: "not known", True: "yes", False: "no"}
        result = finding.result
        shown = words[result] if result is None or isinstance(result, bool) else str(result)
        return f"{shown} ({finding.evidence})"

    limit = scalar("limit")
    return [
        ("PACS", f"{called.aetitle} at {called.ip}:{called.port}, probed as {net.local.aetitle}"),
        ("services", those("model")),
        ("returned", those("returned")),
        ("not returned", those("returned", result=False)),
        ("keys refused", those("refused")),
        ("keys honoured", those("match")),
        ("keys ignored", those("match", result=False)),
        ("keys not known", those("match", result=None)),
        ("with wildcards", those("wildcard")),
        ("by range", those("range")),
        ("names in any case", scalar("case", "PatientName")),
        ("limit of rows", limit.replace("not known (none", "none seen (none", 1)),
        ("keys before limit", those("before_limit")),
        ("character set", scalar("charset")),
        ("retrieved from", scalar("retrieve_aetitle")),
        ("associations", scalar("associations")),
    ]
