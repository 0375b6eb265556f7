"""A plain pynetdicom client: what a PACS answers, not seen through our own code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pynetdicom import AE, StoragePresentationContexts, build_role, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context

from pacsfw.testing._sending import keep_responses
from peers.readback import Peer

MODELS = {"PATIENT": "1.2.840.10008.5.1.4.1.2.1.", "STUDY": "1.2.840.10008.5.1.4.1.2.2."}
FIND, MOVE, GET = "1", "2", "3"


@dataclass
class Answer:
    """The responses to one request."""

    statuses: list[int | None] = field(default_factory=list)
    identifiers: list[Dataset] = field(default_factory=list)
    last: Dataset = field(default_factory=Dataset)
    """The final response: Status and the counts of sub-operations."""

    @property
    def status(self) -> int | None:
        return self.statuses[-1]

    def values(self, keyword: str) -> list[str]:
        return sorted(str(found.get(keyword) or "") for found in self.identifiers)


@contextmanager
def associate(
    peer: Peer,
    contexts: Sequence[PresentationContext],
    *,
    aetitle: str = "PACSFW",
    called: str = "",
    **options: object,
) -> Iterator[Association]:
    ae = AE(ae_title=aetitle)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 30
    association = ae.associate(
        peer.host,
        peer.port,
        contexts=list(contexts),
        ae_title=called or peer.aetitle,
        **options,  # type: ignore[arg-type]
    )
    keep_responses(association)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def identifier(level: str, keys: dict[str, str], charset: str = "") -> Dataset:
    dataset = Dataset()
    if charset:
        dataset.SpecificCharacterSet = charset
    dataset.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(dataset, keyword, value)
    return dataset


def find(
    peer: Peer, level: str, keys: dict[str, str], *, root: str = "STUDY", charset: str = ""
) -> Answer:
    answer = Answer()
    model = MODELS[root] + FIND
    with associate(peer, [build_context(model)]) as association:
        for status, found in association.send_c_find(identifier(level, keys, charset), model):
            answer.statuses.append(status.Status)
            answer.last = status
            if found is not None:
                answer.identifiers.append(found)
    return answer


def move(
    peer: Peer, level: str, keys: dict[str, str], destination: str, *, root: str = "STUDY"
) -> Answer:
    answer = Answer()
    model = MODELS[root] + MOVE
    with associate(peer, [build_context(model)]) as association:
        for status, found in association.send_c_move(identifier(level, keys), destination, model):
            answer.statuses.append(status.get("Status"))  # None: it was aborted
            answer.last = status
            if found is not None:
                answer.identifiers.append(found)
    return answer


def get(
    peer: Peer, level: str, keys: dict[str, str], *, roles: bool = True, more: Sequence[str] = ()
) -> tuple[Answer, list]:
    """C-GET; also what was received, as (SOP Instance UID, data-set bytes)."""
    answer, received = Answer(), []
    model = MODELS["STUDY"] + GET
    storage = [*map(build_context, more), *StoragePresentationContexts[:100]]

    def store(event: evt.Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        received.append((uid, event.encoded_dataset(include_meta=False)))
        return 0x0000

    selected = [build_role(context.abstract_syntax, scp_role=True) for context in storage]
    with associate(
        peer,
        [build_context(model), *storage],
        ext_neg=selected if roles else None,
        evt_handlers=[(evt.EVT_C_STORE, store)],
    ) as association:
        for status, found in association.send_c_get(identifier(level, keys), model):
            answer.statuses.append(status.Status)
            answer.last = status
            if found is not None:
                answer.identifiers.append(found)
    return answer, received
