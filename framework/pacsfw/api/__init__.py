"""The types a plugin author imports.

Hooks (``pacsfw.hookspecs``) offer `Component` records; the configuration picks one by
name; the object its factory returns does the work through one of the small base classes
here. Records and base classes grow by addition only.
"""

from pacsfw.api.components import NO_OPTIONS, Component, ConfigSection, JSONSchema
from pacsfw.api.context import Clock, Closing, DicomWeb, Net, Node, RunContext, Used
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
from pacsfw.api.listener import Accept, Limits, Tls, Unsolicited
from pacsfw.api.objects import Converter, Header, Layout, Produced, Stored, TagCallback
from pacsfw.api.profile import Profile
from pacsfw.api.query import Answer, Found, Level, QueryProvider, Slice, is_uid
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

__all__ = [
    "COLUMNS",
    "ERRORS",
    "HEADER",
    "NO_OPTIONS",
    "Accept",
    "Answer",
    "Batch",
    "Clock",
    "Closing",
    "Column",
    "ColumnType",
    "Component",
    "ConfigSection",
    "Converted",
    "Converter",
    "DicomWeb",
    "Event",
    "FilesParsed",
    "Found",
    "Header",
    "Inbox",
    "InstanceIngested",
    "JSONSchema",
    "Layout",
    "Level",
    "Limits",
    "MoveStarted",
    "Net",
    "Node",
    "Observer",
    "Outcome",
    "Paused",
    "Produced",
    "Profile",
    "QueryProvider",
    "Request",
    "ResourcesFound",
    "Row",
    "RunContext",
    "RunFinished",
    "RunStarted",
    "SeriesVerdict",
    "Sink",
    "Slice",
    "SpoolFile",
    "Stored",
    "StudySettled",
    "StudyStarted",
    "Table",
    "TagCallback",
    "Tls",
    "Transfer",
    "Unsolicited",
    "Used",
    "Verdict",
    "VerdictState",
    "Waiting",
    "is_uid",
]
