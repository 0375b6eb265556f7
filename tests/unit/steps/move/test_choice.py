from dataclasses import replace

import pytest

from pacsfw.api import DicomWeb, Net, Node, Profile
from pacsfw.errors import ConfigError
from pacsfw.steps.move.choice import choose

LOCAL = Node(aetitle="US", port=11112)
WEB = DicomWeb(url="https://pacs.example/dicom-web")


def net(*models: str, web: bool = True, port: int = 11112) -> Net:
    local = replace(LOCAL, port=port)
    called = Node(aetitle="PACS", ip="pacs", port=104, profile=Profile(models=frozenset(models)))
    return Net(local=local, called=called, dest=local, dicomweb=WEB if web else None)


def usable(name: str) -> str:
    return ""


@pytest.mark.parametrize(
    ("known", "name", "why"),
    [
        (net("dicomweb", "study-get", "study-move"), "wado", "DICOMweb works"),
        (net(), "wado", "net.dicomweb is configured"),
        (Net(local=LOCAL, dest=LOCAL, dicomweb=WEB), "wado", "net.dicomweb is configured"),
        (net("study-get", "study-move"), "cget", "C-GET; not wado: its profile does not show"),
        (net("study-get", "dicomweb", web=False), "cget", "not wado: net.dicomweb is not conf"),
        (net("study-move"), "cmove", "not cget: its profile does not show that it accepts C-GET"),
        (net(web=False), "cmove", "nearly every PACS accepts C-MOVE; not wado"),
    ],
)
def test_the_best_that_the_pacs_is_known_to_offer_is_taken(known: Net, name: str, why: str) -> None:
    taken, said = choose(known, usable)
    assert taken == name
    assert why in said


def test_what_is_not_installed_is_not_taken() -> None:
    def missing(name: str) -> str:
        return "pip install 'pacsfw[dicomweb]'" if name == "wado" else ""

    name, why = choose(net("dicomweb", "study-move"), missing)
    assert (name, "not wado: pip install" in why) == ("cmove", True)


@pytest.mark.parametrize("known", [None, net("study-find", web=False), net(web=False, port=0)])
def test_where_nothing_will_do_each_reason_is_told(known: Net | None) -> None:
    with pytest.raises(ConfigError, match=r"not wado: .*; not cget: .*; not cmove: "):
        choose(known, usable)
