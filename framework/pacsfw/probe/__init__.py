"""Find out what a PACS supports, by queries: nothing is moved or changed there."""

from pacsfw.probe.findings import Finding, Findings
from pacsfw.probe.probe import probe
from pacsfw.probe.text import overview, tree, yaml_file

__all__ = ["Finding", "Findings", "overview", "probe", "tree", "yaml_file"]
