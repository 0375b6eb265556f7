"""Sending the mail of the observer ``email``."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from typing import Any

from pacsfw import api
from pacsfw.errors import RemoteError
from pacsfw_plugins.observers._recipients import recipients
from pacsfw_plugins.observers._run_words import ending, lines

HOST = "smtp.gmail.com"
"""The server of the documented configuration where it names none."""
PORT, STARTTLS_PORT = 465, 587
TIMEOUT = 20.0
"""Seconds to wait for each answer of the server."""


class Mailer(api.Observer):
    """Sends one mail when a run is over: numbers only, no names, no UIDs, no paths."""

    def __init__(self, on: str = "always", commands: Sequence[str] = ("run", "move")) -> None:
        self._on, self._commands = on, commands
        self._settings: Mapping[str, Any] = {}
        self._started: api.RunStarted | None = None

    def open(self, context: api.RunContext) -> None:
        """Take the section ``email``, which was checked when the configuration was loaded."""
        section = context.sections["email"]
        self._settings = {key: value for key, value in section.items() if value is not None}

    def notify(self, event: api.Event) -> None:
        """Write when the run is over.

        Raises
        ------
        RemoteError
            The server cannot be reached or refuses.
        """
        if isinstance(event, api.RunStarted):
            self._started = event
        if isinstance(event, api.RunFinished) and self._is_due(event):
            self._send(self._message(event))

    def _is_due(self, event: api.RunFinished) -> bool:
        command = self._started.command if self._started else "run"
        return command in self._commands and (self._on == "always" or event.exit_code != 0)

    def _sender(self) -> str:
        for candidate in (self._settings.get("sender"), self._settings.get("username")):
            if candidate and "@" in candidate:
                return str(candidate)
        return f"pacsfw@{socket.gethostname() or 'localhost'}"

    def _message(self, event: api.RunFinished) -> EmailMessage:
        command = self._started.command if self._started else "run"
        message = EmailMessage()
        message["Subject"] = f"pacsfw {command}: {ending(event.exit_code)}"
        message["From"] = self._sender()
        message["To"] = ", ".join(recipients(self._settings))
        times = [f"ended: {event.at:%Y-%m-%d %H:%M:%S} UTC"]
        if self._started is not None:
            times.insert(0, f"began: {self._started.at:%Y-%m-%d %H:%M:%S} UTC")
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
            # The text of a reply may quote the account; what kind of failure it was is enough.
            raise RemoteError(f"no mail: {host}:{port}: {_reason(err)}") from None


def _reason(err: Exception) -> str:
    if isinstance(err, smtplib.SMTPResponseException):
        return f"{type(err).__name__} {err.smtp_code}"
    if isinstance(err, smtplib.SMTPRecipientsRefused):
        return "the recipients are refused"
    if isinstance(err, ssl.SSLError):
        return err.reason or type(err).__name__
    return getattr(err, "strerror", None) or type(err).__name__
