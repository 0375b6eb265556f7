"""The observer ``email`` against a real mail server, by TLS and by STARTTLS."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from pacsfw import api
from pacsfw.config import load
from pacsfw.errors import ConfigError, RemoteError
from pacsfw.plugins import PluginPlan, discover
from support.context import run_context

# Of TLS from the first byte the server knows nothing.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
STARTED = api.RunStarted(at=AT, command="run")
SECRET = "sesame-is-not-to-be-seen"
SHORT = api.Verdict(state="short", reason="1 of 2 missing")
SETTLED = api.StudySettled(at=AT, study_uid="1.2.3.4567", verdict=SHORT)


def finished(code=0, **more):
    return api.RunFinished(
        at=AT, counts={"complete": 1204}, exit_code=code, found=1210, instances=7, **more
    )


class Inbox:
    def __init__(self):
        self.mails = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - the name is given
        self.mails.append(envelope)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and data.password.decode() == SECRET
    return AuthResult(success=good, handled=False)


@pytest.fixture(scope="module")
def ca():
    return trustme.CA()


@pytest.fixture(scope="module")
def trusted(ca, tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return path


@pytest.fixture(params=["tls", "starttls"])
def server(request, ca, unused_port):
    """A mail server that wants a login over TLS, and what it got."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    inbox = Inbox()
    starttls = request.param == "starttls"

    class Server(Controller):
        def factory(self):
            return SMTP(
                inbox,
                hostname="localhost",
                authenticator=authenticate,
                auth_required=True,
                auth_require_tls=starttls,
                tls_context=context if starttls else None,
                require_starttls=starttls,
            )

    running = Server(
        inbox,
        hostname="127.0.0.1",
        port=unused_port,
        ssl_context=None if starttls else context,
    )
    running.start()
    inbox.section = {
        "host": "127.0.0.1",
        "port": unused_port,
        "username": "robot@hospital.example",
        "password": SECRET,
    }
    if starttls:
        inbox.section["starttls"] = True
    yield inbox
    running.stop()


@pytest.fixture
def unused_port():
    from peers.process import free_port

    return free_port()


def observer(section, **options):
    built = discover(PluginPlan()).make("observer", "email", options)
    built.open(run_context(sections={"email": section}))
    return built


def test_a_mail_with_the_numbers_is_sent_when_a_run_is_over(server, trusted):
    section = {**server.section, "verify": str(trusted), "to": ["a@x.example", "b@x.example"]}
    told = observer(section)
    for event in (STARTED, SETTLED, finished(1, quarantined=3, left_out=7, problems=1)):
        told.notify(event)

    (mail,) = server.mails
    assert mail.rcpt_tos == ["a@x.example", "b@x.example"]
    assert mail.mail_from == "robot@hospital.example"
    text = mail.content.decode()
    assert "Subject: pacsfw run: finished, but not everything is complete" in text
    assert "studies found: 1,210" in text
    assert "complete: 1,204" in text
    assert "quarantined: 3" in text
    assert "left out: 7" in text
    assert "1.2.3.4567" not in text


def test_without_to_the_account_is_written_to(server, trusted):
    told = observer({**server.section, "verify": str(trusted)})
    told.notify(finished(4))

    (mail,) = server.mails
    assert mail.rcpt_tos == ["robot@hospital.example"]
    assert "aborted: the PACS cannot be reached, or refuses the request" in mail.content.decode()


def test_a_wrong_password_and_a_server_that_nobody_vouches_for_are_said_without_secrets(
    server, trusted
):
    wrong = {**server.section, "verify": str(trusted), "password": "wrong-one"}
    with pytest.raises(
        RemoteError, match=r"mail not sent: .*SMTPAuthenticationError 535"
    ) as caught:
        observer(wrong).notify(finished())
    assert "wrong-one" not in str(caught.value)
    with pytest.raises(RemoteError, match="CERTIFICATE_VERIFY_FAILED"):
        observer(server.section).notify(finished())
    assert server.mails == []


def test_on_failure_only_nothing_is_sent_where_all_is_complete(unused_port):
    section = {"host": "127.0.0.1", "port": unused_port, "to": "a@x.example"}
    observer(section, on="failure").notify(finished(0))
    with pytest.raises(RemoteError, match=r"mail not sent: 127\.0\.0\.1:.*Connection refused"):
        observer(section, on="failure").notify(finished(1))


def test_other_commands_are_not_told_of(unused_port):
    told = observer({"host": "127.0.0.1", "port": unused_port, "to": "a@x.example"})
    told.notify(api.RunStarted(at=AT, command="plan"))
    told.notify(finished(1))


def loaded(tmp_path, text):
    path = tmp_path / "conf.yaml"
    path.write_text(text)
    path.chmod(0o600)
    return load(path, discover).config


def test_the_documented_section_makes_the_observer_work(tmp_path):
    config = loaded(
        tmp_path,
        "email: {username: a@x.example, password: pw, host: smtp.x.example, port: 465}\n",
    )
    assert [use.name for use in config.observers] == ["pacsfw/email"]
    listed = loaded(tmp_path, "email: {to: a@x.example}\nobservers: [email]\n")
    assert [use.name for use in listed.observers] == ["email"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("email: {}\n", "email.to is missing: give at least one recipient"),
        ("observers: [email]\n", "the section email is missing"),
        ("email: {to: nobody}\n", "email.to: 'nobody' is not a mail address"),
        ("email: {to: a@x.example, prot: 25}\n", r"email.prot: unknown key \(did you mean 'port'"),
    ],
)
def test_a_section_that_cannot_work_is_refused(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        loaded(tmp_path, text)
