"""The choice of ``move.use: auto``: the best transfer that the PACS is known to offer."""

from __future__ import annotations

from collections.abc import Callable

from pacsfw.api import Net
from pacsfw.errors import ConfigError


def choose(net: Net | None, usable: Callable[[str], str]) -> tuple[str, str]:
    """Return the best transfer for this PACS, and the reasons.

    In this order: ``wado`` needs no port of ours and one request per study; ``cget`` needs no
    port of ours; ``cmove`` is offered by nearly every PACS.

    Parameters
    ----------
    usable
        Returns why a component cannot be used, or "".

    Raises
    ------
    ConfigError
        None can be used; the message names the reason for each.
    """
    against: list[str] = []
    for name, judge in (("wado", _wado), ("cget", _cget), ("cmove", _cmove)):
        suits, why = judge(net)
        if suits and (obstacle := usable(name)):
            suits, why = False, obstacle
        if suits:
            return name, "; ".join([why, *against])
        against.append(f"not {name}: {why}")
    raise ConfigError(f"move.use: auto finds no transfer for this PACS: {'; '.join(against)}")


def _wado(net: Net | None) -> tuple[bool, str]:
    if net is None or net.dicomweb is None:
        return False, "net.dicomweb is not configured"
    models = _models(net)
    if models and "dicomweb" not in models:
        return False, "its profile does not show that DICOMweb works"
    return True, _evidence(models, "DICOMweb works", "net.dicomweb is configured")


def _cget(net: Net | None) -> tuple[bool, str]:
    models = _models(net)
    if models & {"study-get", "patient-get"}:
        return True, "its profile shows that it accepts C-GET"
    if models:
        return False, "its profile does not show that it accepts C-GET"
    return False, "it has no profile (`pacsfw probe`) that shows that it accepts C-GET"


def _cmove(net: Net | None) -> tuple[bool, str]:
    models = _models(net)
    if net is None or net.called is None:
        return False, "net.called_node is not configured"
    if net.dest is None or not net.dest.port:
        return False, "there is no port to receive on (net.local_node.port)"
    if models and not models & {"study-move", "patient-move"}:
        return False, "its profile does not show that it accepts C-MOVE"
    return True, _evidence(models, "it accepts C-MOVE", "nearly every PACS accepts C-MOVE")


def _models(net: Net | None) -> frozenset[str]:
    return net.called.profile.models if net is not None and net.called else frozenset()


def _evidence(models: frozenset[str], known: str, assumed: str) -> str:
    return f"its profile shows that {known}" if models else assumed
