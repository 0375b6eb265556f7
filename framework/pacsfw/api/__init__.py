"""The types that a plugin author imports.

Hooks (``pacsfw.hookspecs``) return `Component` records. The configuration selects one by
name. The object that its factory returns does the work, through one of the small base
classes here. Records and base classes only ever gain members.
"""

from pacsfw.api.cohort import Cohort, CohortHeader, CohortProblem, CohortRow
from pacsfw.api.components import (
    NO_OPTIONS,
    Component,
    ConfigSection,
    JSONSchema,
    Scope,
    lazy,
)
from pacsfw.api.context import Clock, Closing, ComponentInfo, DicomWeb, Net, Node, RunContext
from pacsfw.api.events import (
    Converted,
    Event,
    FilesParsed,
    InstanceIngested,
    MoveStarted,
    Observer,
    Paused,
    ResourcesFound,
    RunFinished,
    RunStarted,
    StudySettled,
    StudyStarted,
    Waiting,
)
from pacsfw.api.listener import Accept, KnownSender, Limits, Tls, Unsolicited
from pacsfw.api.objects import (
    Converter,
    Header,
    Layout,
    OutputFile,
    RowCallback,
    Stored,
    TagCallback,
)
from pacsfw.api.profile import Profile
from pacsfw.api.query import Level, Query, QueryProvider, QueryResult, QueryRow, is_uid
from pacsfw.api.tables import (
    COLUMNS,
    ERRORS,
    HEADER,
    Batch,
    Column,
    ColumnType,
    Row,
    SeriesVerdict,
    Sink,
    Table,
    Verdict,
    VerdictState,
)
from pacsfw.api.transfer import Inbox, Outcome, Request, SpoolFile, Transfer

API_VERSION = 1
"""The version of the contract: of all that a plugin may import or implement.

A plugin with ``pacsfw_api = 2`` in its module is refused by a pacsfw with contract 1. Records
and base classes only gain members within one version.
"""

__all__ = [
    "API_VERSION",
    "COLUMNS",
    "ERRORS",
    "HEADER",
    "NO_OPTIONS",
    "Accept",
    "Batch",
    "Clock",
    "Closing",
    "Cohort",
    "CohortHeader",
    "CohortProblem",
    "CohortRow",
    "Column",
    "ColumnType",
    "Component",
    "ComponentInfo",
    "ConfigSection",
    "Converted",
    "Converter",
    "DicomWeb",
    "Event",
    "FilesParsed",
    "Header",
    "Inbox",
    "InstanceIngested",
    "JSONSchema",
    "KnownSender",
    "Layout",
    "Level",
    "Limits",
    "MoveStarted",
    "Net",
    "Node",
    "Observer",
    "Outcome",
    "OutputFile",
    "Paused",
    "Profile",
    "Query",
    "QueryProvider",
    "QueryResult",
    "QueryRow",
    "Request",
    "ResourcesFound",
    "Row",
    "RowCallback",
    "RunContext",
    "RunFinished",
    "RunStarted",
    "Scope",
    "SeriesVerdict",
    "Sink",
    "SpoolFile",
    "Stored",
    "StudySettled",
    "StudyStarted",
    "Table",
    "TagCallback",
    "Tls",
    "Transfer",
    "Unsolicited",
    "Verdict",
    "VerdictState",
    "Waiting",
    "is_uid",
    "lazy",
]
