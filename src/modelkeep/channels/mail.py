"""Sends letters by SMTP, to the mail server of the settings and no other.

* An attempt is a connection of its own, in a thread of its own: it ends after 15 seconds for who
  waits, whatever the server does, and holds nobody up when this process stops.
* Without the TLS that the setting asks for nothing is said: not the password, and no letter.
* A refusal of the recipient or of the letter by 5xx is final. One of ourselves is not (our name,
  our password, our sender): that is for the operator to mend, and the letter waits.

Sources: RFC 5321 (the replies), RFC 3207 (STARTTLS).
"""

import asyncio
import smtplib
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime

from modelkeep.channels.webhook import tls_context
from modelkeep.domain.mail import Letter, MailServer, check_address
from modelkeep.domain.webhooks import Outcome

ATTEMPT_S = 15.0
STEP_S = 10.0  # for one reply of the server
ANSWER_CHARS = 500


class SmtpMailer:
    """See `ports.mail.Mailer`. `sender` is an address that was checked."""

    def __init__(self, server: MailServer, sender: str) -> None:
        self._server, self._sender = server, sender
        self._domain = check_address(sender, "The sender must be an e-mail address.")

    async def send(self, letter: Letter) -> Outcome:
        try:
            content = content_of(letter, self._sender, self._domain)
        except ValueError as error:
            return Outcome(error=f"It cannot be written as a letter: {error}", is_final=True)
        try:
            async with asyncio.timeout(ATTEMPT_S):
                return await _in_thread(lambda: self._attempt(letter.to, content))
        except TimeoutError:
            return Outcome(error=f"No answer within {ATTEMPT_S:g} seconds.")

    def _attempt(self, to: str, content: bytes) -> Outcome:
        try:
            client = self._connected()
        except smtplib.SMTPResponseException as error:
            return _answered(error.smtp_code, error.smtp_error)
        except OSError as error:  # with TLS that is not there or not good
            return Outcome(error=f"{type(error).__name__}: {_text(str(error))}")
        try:
            return self._handed_over(client, to, content)
        finally:
            with suppress(OSError):  # its answer is known by now
                client.quit()
            client.close()

    def _connected(self) -> smtplib.SMTP:
        """Where the mail server knows us. Raises OSError, of which `smtplib`'s are."""
        server = self._server
        where = (server.host, server.port, self._domain)
        if server.scheme == "smtps":
            client = smtplib.SMTP_SSL(*where, timeout=STEP_S, context=tls_context())
        else:
            client = smtplib.SMTP(*where, timeout=STEP_S)
        try:
            if server.scheme == "smtp+starttls":
                client.starttls(context=tls_context())
            if server.user:
                client.login(server.user, server.password)
        except BaseException:
            client.close()
            raise
        return client

    def _handed_over(self, client: smtplib.SMTP, to: str, content: bytes) -> Outcome:
        try:
            client.sendmail(self._sender, [to], content)
        except smtplib.SMTPRecipientsRefused as error:
            return _answered(*error.recipients[to], of_letter=True)
        except smtplib.SMTPDataError as error:
            return _answered(error.smtp_code, error.smtp_error, of_letter=True)
        except smtplib.SMTPResponseException as error:
            return _answered(error.smtp_code, error.smtp_error)
        except OSError as error:
            return Outcome(error=f"{type(error).__name__}: {_text(str(error))}")
        return Outcome(status=250)


def _answered(code: int, said: bytes | str, *, of_letter: bool = False) -> Outcome:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    is_final = of_letter and 500 <= code < 600
    return Outcome(status=code, body=_text(text), is_final=is_final)


def _text(said: str) -> str:
    return " ".join(said.replace("\x00", "\ufffd").split())[:ANSWER_CHARS]


# -- a letter as bytes ---------------------------------------------------------------------------


class _Whole(UnstructuredHeader, BaseHeader):
    """A header that stays in one line: folded, an address or a URL would be one no more."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_headers = HeaderRegistry()
for _name in ("to", "message-id", "list-unsubscribe"):
    _headers.map_to_type(_name, _Whole)
_POLICY = SMTP.clone(header_factory=_headers, cte_type="7bit")


def content_of(letter: Letter, sender: str, domain: str) -> bytes:
    """A letter with its headers, in ASCII. Raises ValueError for a header of several lines."""
    message = EmailMessage(_POLICY)
    message["From"] = Address(letter.sender, addr_spec=sender) if letter.sender else sender
    message["To"] = letter.to
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(datetime.fromisoformat(letter.sent_at))
    message["Message-ID"] = f"<{letter.id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    if letter.unsubscribe:
        message["List-Unsubscribe"] = f"<{letter.unsubscribe}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(letter.text)
    return message.as_bytes()


# -- threads -------------------------------------------------------------------------------------


async def _in_thread(attempt: Callable[[], Outcome]) -> Outcome:
    """What comes of an attempt. A pool's threads would be waited for at the process's end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Outcome] = loop.create_future()

    def settle(outcome: Outcome | None, error: BaseException | None) -> None:
        if done.done():  # nobody waits any more
            return
        if error is not None:
            done.set_exception(error)
        elif outcome is not None:
            done.set_result(outcome)

    def run() -> None:
        outcome, failure = None, None
        try:
            outcome = attempt()
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            failure = error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, outcome, failure)

    threading.Thread(target=run, name="mail", daemon=True).start()
    return await done
