"""Post the events of the observer ``webhook``."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import tenacity

from pacsfw import api
from pacsfw.errors import RemoteError
from pacsfw_plugins.observers._run_words import numbers

LONGEST_PAUSE = 5.0


class _Again(Exception):
    """A failure that may be transient."""


class Webhook(api.Observer):
    """Posts one JSON object for each selected event, with numbers only."""

    def __init__(
        self,
        url: str,
        events: Sequence[str] = ("started", "finished"),
        headers: Mapping[str, str] = {},
        attempts: int = 3,
        timeout: float = 10,
    ) -> None:
        self._url, self._events, self._headers = url, frozenset(events), dict(headers)
        self._attempts, self._timeout = attempts, timeout
        self._clock, self._run = api.Clock(), ""
        self._settled: dict[str, str] = {}
        self._counts: Counter[str] = Counter()

    def open(self, context: api.RunContext) -> None:
        """Remember the clock, for the pauses, and the run ID."""
        self._clock, self._run = context.clock, context.run_id

    def notify(self, event: api.Event) -> None:
        """Post the event if it is selected.

        Raises
        ------
        RemoteError
            The server did not accept it in any attempt.
        """
        report = self._report(event)
        if report is None or report["event"] not in self._events:
            return
        report |= {"run": self._run, "at": event.at.isoformat()}
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=tenacity.wait_exponential(multiplier=0.5, max=LONGEST_PAUSE),
            retry=tenacity.retry_if_exception_type(_Again),
            sleep=self._sleep,
        )
        try:
            retrying(self._post, json.dumps(report).encode())
        except tenacity.RetryError as err:
            raise RemoteError(f"not accepted: {err.last_attempt.exception()}") from None

    def _report(self, event: api.Event) -> dict[str, Any] | None:
        match event:
            case api.RunStarted():
                return {"event": "started", "command": event.command}
            case api.StudySettled():
                # A retried study settles again.
                self._counts[self._settled.get(event.study_uid, "")] -= 1
                self._counts[event.verdict.state] += 1
                self._settled[event.study_uid] = event.verdict.state
                return {"event": "study", "studies": dict(+self._counts)}
            case api.Waiting():
                until = event.until.isoformat() if event.until else None
                return {"event": "waiting", "until": until}
            case api.Paused():
                return {"event": "paused", "reason": event.reason}
            case api.RunFinished():
                return {"event": "finished", **numbers(event)}
        return None

    def _sleep(self, seconds: float) -> None:
        self._clock.wait(threading.Event(), seconds)

    def _post(self, body: bytes) -> None:
        headers = {"Content-Type": "application/json", **self._headers}
        request = urllib.request.Request(self._url, body, headers, method="POST")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=self._timeout):  # noqa: S310
                return
        except urllib.error.HTTPError as err:
            err.close()
            if err.code in (408, 429) or err.code >= 500:
                raise _Again(f"status {err.code}") from None
            raise RemoteError(f"not accepted: status {err.code}") from None
        except OSError as err:  # including URLError; its text may quote a token in the URL
            reason = getattr(err, "reason", err)
            why = getattr(reason, "strerror", None) or type(reason).__name__
            raise _Again(str(why)) from None
