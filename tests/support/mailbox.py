"""A real mail server, which keeps what it is handed and answers as a test wants it to."""

import email
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from tests.support.certificates import of_this_machine
from tests.support.ports import free_port

WAIT_S = 60.0
USER, PASSWORD = "registry@example.com", "correct horse/battery"
_LINK = re.compile(r"https?://\S+")


class Mailbox:
    """`letters` holds those that were taken, in order, and `raw` all that were sent. The
    next answers to a sender, a recipient and a letter are in `senders`, `recipients` and `data`;
    after these all are taken.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"smtp://127.0.0.1:{self.port}"
        self.letters: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.attempts: list[str] = []  # the recipients that were named, refused or not
        self.logins: list[tuple[bytes, bytes]] = []
        self.senders: list[str] = []
        self.recipients: list[str] = []
        self.data: list[str] = []
        self._changed = threading.Condition()

    @contextmanager
    def running(self, **how: Any) -> Iterator["Mailbox"]:
        """`how` it speaks, in the words of aiosmtpd."""
        how |= {"hostname": "127.0.0.1", "port": self.port, "ready_timeout": WAIT_S}
        controller = Controller(self, **how)
        controller.start()
        try:
            yield self
        finally:
            controller.stop()

    def wait(self, count: int) -> list[EmailMessage]:
        """All letters, once there are so many."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.letters) >= count, WAIT_S):
                raise AssertionError(f"after {WAIT_S:g} s only {len(self.letters)} letters")
            return list(self.letters)

    def wait_attempts(self, count: int) -> list[str]:
        """All recipients that were named, once they are so many."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.attempts) >= count, WAIT_S):
                raise AssertionError(f"after {WAIT_S:g} s only {self.attempts}")
            return list(self.attempts)

    def login(
        self, server: Any, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        """An authenticator."""
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        is_good = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=is_good, handled=False)

    # -- what aiosmtpd asks ----------------------------------------------------------------

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        said = self.senders.pop(0) if self.senders else "250 OK"
        if said.startswith("2"):
            envelope.mail_from = address
        return said

    async def handle_RCPT(  # noqa: N802 - likewise
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        with self._changed:
            self.attempts.append(address)
            self._changed.notify_all()
        said = self.recipients.pop(0) if self.recipients else "250 OK"
        if said.startswith("2"):
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(  # noqa: N802 - likewise
        self, server: Any, session: Session, envelope: Envelope
    ) -> str:
        said = self.data.pop(0) if self.data else "250 taken"
        content = envelope.content
        assert isinstance(content, bytes)
        with self._changed:
            self.raw.append(content)
            if said.startswith("2"):
                self.letters.append(read(content))
            self._changed.notify_all()
        return said


def read(content: bytes) -> EmailMessage:
    letter = email.message_from_bytes(content, policy=default)
    assert isinstance(letter, EmailMessage)
    return letter


def text_of(letter: EmailMessage) -> str:
    """Its words, with the lines ending as they do here."""
    return letter.get_content().replace("\r\n", "\n")


def links_in(letter: EmailMessage) -> list[str]:
    return _LINK.findall(text_of(letter))


def trusted(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """What a server at 127.0.0.1 speaks TLS with, and the file with whom to trust for it."""
    trust, secret = of_this_machine(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trust, secret)
    return context, trust
