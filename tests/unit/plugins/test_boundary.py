"""The boundary of a component: faults are attributed, values are not quoted, signals pass."""

from __future__ import annotations

import pickle
import signal
import stat
import sys
from pathlib import Path

import pytest

from pacsfw.errors import ComponentError, OwnSignal, RemoteError, Retry, StateError
from pacsfw.plugins.boundary import DEBUG_VARIABLE, Boundary, Fault, FaultLog

SECRET = "Doe^John"


def _raising(err: BaseException) -> None:
    raise err


class PanicError(BaseException):
    """As the extensions written in Rust raise it."""


@pytest.mark.parametrize(
    "err",
    [ValueError(SECRET), PanicError(SECRET), SystemExit(5), KeyboardInterrupt(), Retry(SECRET)],
    ids=lambda err: type(err).__name__,
)
def test_whatever_is_raised_is_a_fault_of_the_component_and_quotes_nothing(
    err: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signal.getsignal", lambda _: None)  # a handler of our own is installed
    log = FaultLog()
    boundary = Boundary("sink", "'x' (from d 1.0)", log=log)

    with pytest.raises(ComponentError) as caught:
        boundary.call_for("1.2.3", "deliver", _raising, err)

    fault = caught.value.fault
    assert fault[:3] == ("sink", "'x' (from d 1.0)", "deliver")
    assert fault.item == "1.2.3"
    assert SECRET not in str(caught.value)
    assert log.counts() == {fault: 1}


def test_a_reason_names_the_line_of_the_component() -> None:
    with pytest.raises(ComponentError, match=r"deliver: ValueError at test_boundary\.py:\d+$"):
        Boundary("sink", "x").call("deliver", _raising, ValueError(SECRET))


def test_what_the_contract_allows_and_our_own_signals_pass() -> None:
    boundary = Boundary("query", "x", (RemoteError,))

    for err in (RemoteError("gone"), OwnSignal()):
        with pytest.raises(type(err)):
            boundary.call("ask", _raising, err)
    with pytest.raises(ComponentError, match="ask: the disk is full"):
        boundary.call("ask", _raising, StateError("the disk is full"))


def test_the_user_interrupts_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signal.getsignal", lambda _: signal.default_int_handler)

    with pytest.raises(KeyboardInterrupt):
        Boundary("query", "x").call("ask", _raising, KeyboardInterrupt())


def test_a_fault_crosses_processes() -> None:
    err = Boundary("layout", "x").fault("call", "KeyError", "1.2")

    assert pickle.loads(pickle.dumps(err)).fault == Fault("layout", "x", "call", "KeyError", "1.2")


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_a_traceback_is_written_to_a_private_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "debug.log"
    monkeypatch.setenv(DEBUG_VARIABLE, str(target))

    for number in range(2):
        with pytest.raises(ComponentError):
            Boundary("sink", "x").call("deliver", _raising, ValueError(f"{SECRET} {number}"))

    text = target.read_text()
    assert f"{SECRET} 0" in text
    assert f"{SECRET} 1" in text
    assert "in _raising" in text
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
