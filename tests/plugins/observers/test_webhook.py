"""The observer ``webhook`` against a real HTTP server."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pacsfw import api
from pacsfw.config import load, shown
from pacsfw.errors import RemoteError
from pacsfw.plugins import PluginPlan, discover
from support.context import NoPause, run_context

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
STARTED = api.RunStarted(at=AT, command="run")
FINISHED = api.RunFinished(at=AT, counts={"complete": 3}, exit_code=0, found=3)


def settled(uid, state):
    return api.StudySettled(at=AT, study_uid=uid, verdict=api.Verdict(state=state))


@pytest.fixture
def server():
    """An HTTP server that answers with the listed statuses, then with 200."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["Content-Length"])
            http.posts.append((dict(self.headers), json.loads(self.rfile.read(length))))
            self.send_response(http.statuses.pop(0) if http.statuses else 200)
            self.end_headers()

        def log_message(self, *args):
            """Say nothing."""

    http = HTTPServer(("127.0.0.1", 0), Handler)
    http.posts, http.statuses = [], []
    http.url = f"http://127.0.0.1:{http.server_port}/hook"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield http
    http.shutdown()
    thread.join()
    http.server_close()


def observer(url, clock=None, **options):
    built = discover(PluginPlan()).make("observer", "webhook", {"url": url, **options})
    built.open(run_context(clock=clock or NoPause()))
    return built


def test_the_numbers_of_a_run_are_posted_as_json(server):
    told = observer(server.url, headers={"X-Token": "t"})
    for event in (STARTED, settled("1.2.3", "short"), FINISHED):
        told.notify(event)

    (_, first), (headers, last) = server.posts
    assert first == {"event": "started", "command": "run", "run": "run-1", "at": AT.isoformat()}
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Token"] == "t"
    assert (last["event"], last["studies"], last["exit_code"]) == ("finished", {"complete": 3}, 0)


def test_studies_are_told_as_counts_on_request(server):
    told = observer(server.url, events=["study"])
    for event in (settled("1.2", "short"), settled("1.3", "complete"), settled("1.2", "complete")):
        told.notify(event)

    assert [post["studies"] for _, post in server.posts] == [
        {"short": 1},
        {"short": 1, "complete": 1},
        {"complete": 2},
    ]
    assert "1.2" not in str(server.posts)


def test_a_server_that_is_busy_is_asked_again_with_growing_pauses(server):
    clock = NoPause()
    server.statuses += [503, 429]
    observer(server.url, clock).notify(FINISHED)
    assert len(server.posts) == 3
    assert clock.pauses == [0.5, 1.0]


def test_it_is_given_up_after_the_attempts(server):
    server.statuses += [500] * 9
    with pytest.raises(RemoteError, match="not accepted: status 500"):
        observer(server.url, attempts=2).notify(FINISHED)
    assert len(server.posts) == 2


def test_a_refusal_is_not_repeated(server):
    server.statuses += [403]
    with pytest.raises(RemoteError, match="not accepted: status 403"):
        observer(server.url).notify(FINISHED)
    assert len(server.posts) == 1


def test_where_nobody_listens_the_address_is_not_told(server):
    server.shutdown()
    server.server_close()
    with pytest.raises(RemoteError, match="not accepted: Connection refused") as caught:
        observer(f"{server.url}?token=sesame").notify(FINISHED)
    assert "sesame" not in str(caught.value)


def test_the_address_and_the_headers_are_never_shown(tmp_path):
    path = tmp_path / "conf.yaml"
    options = "{url: 'http://x/sesame', headers: {X-Token: sesame}, attempts: 2}"
    path.write_text(f"observers: [{{use: webhook, with: {options}}}]\n")
    path.chmod(0o600)
    text = shown(load(path, discover).config)
    assert "attempts: 2" in text
    assert "sesame" not in text
