"""Send the mail of the observer ``email``."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from typing import Any

from pacsfw import api
from pacsfw.errors import RemoteError
from pacsfw_plugins.observers._run_words import ending, lines
from pacsfw_plugins.observers.email import recipients

HOST = "smtp.gmail.com"
"""The default server of the documented configuration."""
PORT, STARTTLS_PORT = 465, 587
TIMEOUT = 20.0
"""Seconds to wait for each response of the server."""


class Mailer(api.Observer):
    """Sends one mail at the end of a run, with numbers only: no names, UIDs or paths."""

    def __init__(self, on: str = "always", commands: Sequence[str] = ("run", "move")) -> None:
        self._on, self._commands = on, commands
        self._settings: Mapping[str, Any] = {}
        self._command = "run"
        self._times: list[str] = []

    def open(self, context: api.RunContext) -> None:
        """Remember the section ``email``, which was checked when it was loaded."""
        section = context.sections["email"]
        self._settings = {key: value for key, value in section.items() if value is not None}

    def notify(self, event: api.Event) -> None:
        """Send the mail at the end of the run.

        Raises
        ------
        RemoteError
            The server cannot be reached, or refuses the mail.
        """
        if isinstance(event, api.RunStarted):
            self._command = event.command
            self._times = [f"began: {event.at:%Y-%m-%d %H:%M:%S} UTC"]
        if isinstance(event, api.RunFinished) and self._is_due(event.exit_code):
            self._send(self._message(event))

    def _is_due(self, exit_code: int) -> bool:
        return self._command in self._commands and (self._on == "always" or exit_code != 0)

    def _sender(self) -> str:
        for candidate in (self._settings.get("sender"), self._settings.get("username")):
            if candidate and "@" in candidate:
                return str(candidate)
        return f"pacsfw@{socket.gethostname() or 'localhost'}"

    def _message(self, event: api.RunFinished) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = f"pacsfw {self._command}: {ending(event.exit_code)}"
        message["From"] = self._sender()
        message["To"] = ", ".join(recipients(self._settings))
        times = [*self._times, f"ended: {event.at:%Y-%m-%d %H:%M:%S} UTC"]
        message.set_content("\n".join([ending(event.exit_code), "", *lines(event), "", *times, ""]))
        return message

    def _send(self, message: EmailMessage) -> None:
        settings = self._settings
        starttls = bool(settings.get("starttls"))
        host = settings.get("host", HOST)
        port = settings.get("port", STARTTLS_PORT if starttls else PORT)
        verify = settings.get("verify", True)
        try:
            trusted = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
            if not verify:
                trusted.check_hostname, trusted.verify_mode = False, ssl.CERT_NONE
            server = (
                smtplib.SMTP(host, port, timeout=TIMEOUT)
                if starttls
                else smtplib.SMTP_SSL(host, port, timeout=TIMEOUT, context=trusted)
            )
            with server:
                if starttls:
                    server.starttls(context=trusted)
                if settings.get("username"):
                    server.login(settings["username"], settings.get("password", ""))
                server.send_message(message)
        except (OSError, smtplib.SMTPException, ValueError) as err:
            # Only the kind of failure: the text of a reply may quote the account.
            raise RemoteError(f"mail not sent: {host}:{port}: {_reason(err)}") from None


def _reason(err: Exception) -> str:
    if isinstance(err, smtplib.SMTPResponseException):
        return f"{type(err).__name__} {err.smtp_code}"
    if isinstance(err, smtplib.SMTPRecipientsRefused):
        return "the server refused the recipients"
    if isinstance(err, ssl.SSLError):
        return err.reason or type(err).__name__
    return getattr(err, "strerror", None) or type(err).__name__
