"""Letters: what they say, how they are handed to a real mail server, and what it may answer."""

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from modelkeep.channels import mail
from modelkeep.channels.mail import SmtpMailer
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.mail import Letter, MailServer, check_address
from modelkeep.domain.webhooks import Outcome, Progress, judge
from tests.support.mailbox import PASSWORD, USER, Mailbox, text_of, trusted

SENDER = "registry@example.com"
LETTER = Letter(
    id="4f1c6f0e-0000-4000-8000-000000000000",
    to="ann@example.org",
    subject="Grüße: " + "an approval " * 6,
    text="churn/3 is approved.\n.\nA line of one dot.\n" + "x" * 3000 + "\n",
    sent_at="2026-11-22T07:30:39.123Z",
    unsubscribe="https://modelkeep.example.com/sns/unsubscribe?Token=" + "t" * 150,
)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox().running() as running:
        yield running


def sent(url: str, letter: Letter = LETTER) -> Outcome:
    return asyncio.run(SmtpMailer(MailServer.parse(url), SENDER).send(letter))


def test_a_letter_arrives_as_it_was_written(mailbox: Mailbox) -> None:
    assert sent(mailbox.url) == Outcome(status=250)
    (letter,) = mailbox.letters
    assert (letter["From"], letter["To"]) == (SENDER, LETTER.to)
    assert letter["Subject"] == LETTER.subject
    assert letter["Message-ID"] == f"<{LETTER.id}@example.com>"
    assert letter["Date"] == "Sun, 22 Nov 2026 07:30:39 +0000"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["List-Unsubscribe"] == f"<{LETTER.unsubscribe}>"
    assert text_of(letter) == LETTER.text
    lines = mailbox.raw[0].split(b"\r\n")
    assert all(line.isascii() and len(line) < 998 for line in lines)
    assert f"List-Unsubscribe: <{LETTER.unsubscribe}>".encode() in lines  # folded it is no address


@pytest.mark.parametrize("field", ["subject", "to", "id", "unsubscribe"])
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_no_field_of_a_letter_can_add_a_header(field: str, end: str) -> None:
    letter = replace(LETTER, **{field: f"a@example.com{end}Bcc: eve@example.com"})
    outcome = sent("smtp://127.0.0.1:9", letter)
    assert "linefeed or carriage return" in outcome.error
    assert outcome.is_final


@pytest.mark.parametrize(
    ("where", "said", "is_final"),
    [
        ("recipients", "550 5.1.1 no such user", True),
        ("recipients", "450 4.2.1 try later", False),
        ("data", "554 5.7.1 looks like spam", True),
        ("data", "451 4.3.0 local error", False),
        ("senders", "550 5.7.1 you are not who you say", False),  # is for the operator to mend
    ],
)
def test_what_the_server_will_never_have_is_not_tried_again(
    mailbox: Mailbox, where: str, said: str, is_final: bool
) -> None:
    setattr(mailbox, where, [said])
    outcome = sent(mailbox.url)
    assert outcome == Outcome(status=int(said[:3]), body=said[4:], is_final=is_final)
    assert judge(1, outcome)[0] is (Progress.FAILED if is_final else Progress.QUEUED)
    assert mailbox.letters == []
    assert sent(mailbox.url).is_success


def test_a_letter_goes_under_tls_and_with_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, trust = trusted(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trust))
    login = f"{USER.replace('@', '%40')}:{PASSWORD.replace('/', '%2F')}@"
    for scheme, how in (
        ("smtps", {"ssl_context": context, "auth_require_tls": False}),  # TLS that it does not see
        ("smtp+starttls", {"tls_context": context, "require_starttls": True}),
    ):
        box = Mailbox()
        with box.running(authenticator=box.login, **how):
            assert sent(f"{scheme}://{login}127.0.0.1:{box.port}").is_success
            wrong = sent(f"{scheme}://{USER.replace('@', '%40')}:wrong@127.0.0.1:{box.port}")
        assert box.logins[0] == (USER.encode(), PASSWORD.encode())
        assert len(box.letters) == 1
        assert (wrong.status, wrong.is_final) == (535, False)


def test_nothing_is_said_without_the_tls_that_was_asked_for(
    tmp_path: Path, mailbox: Mailbox
) -> None:
    asked = f"smtp+starttls://ann:secret@127.0.0.1:{mailbox.port}"
    assert "STARTTLS" in sent(asked).error  # it has none
    context, _ = trusted(tmp_path)
    box = Mailbox()
    with box.running(tls_context=context, authenticator=box.login):
        outcome = sent(f"smtp+starttls://ann:secret@127.0.0.1:{box.port}")
    assert "certificate verify failed" in outcome.error
    assert outcome.status is None
    assert (box.logins, box.attempts, mailbox.attempts) == ([], [], [])


def test_a_server_that_is_silent_or_not_there_costs_an_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as silent, monkeypatch.context() as quick:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        quick.setattr(mail, "ATTEMPT_S", 0.2)
        outcome = sent(f"smtp://127.0.0.1:{silent.getsockname()[1]}")
        assert outcome.error == "No answer within 0.2 seconds."
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        assert "ConnectionRefusedError" in sent(f"smtp://127.0.0.1:{deaf.getsockname()[1]}").error


@pytest.mark.parametrize(
    "address",
    [
        "ann",
        "@example.com",
        "ann@",
        "ann@@example.com",
        "ann@example..com",
        ".ann@example.com",
        "ann@-example.com",
        "ann@[127.0.0.1]",
        "Ann <ann@example.com>",
        "ann@example.com, eve@example.com",
        "ann@example.com\nBcc: eve@example.com",
        "ann@example.com\n",
        '"ann eve"@example.com',
        "änn@example.com",
        "a" * 65 + "@example.com",
        "ann@" + "a.b" * 90,
    ],
)
def test_what_is_no_plain_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidInput, match="said so"):
        check_address(address, "said so")


def test_an_address_says_its_domain() -> None:
    assert check_address("o'hara+ml@mail.example.com", "") == "mail.example.com"
    assert check_address("root@localhost", "") == "localhost"


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.com",
        "http://mail.example.com",
        "smtp://",
        "smtp://mail..example.com",
        "smtp://mail example.com",
        "smtps://ann:hunter2@mail.example.com:0",
        "smtps://ann:hunter2@mail.example.com:99999",
        "smtps://ann:hunter2@mail.example.com/inbox",
        "smtps://ann:hunter2@mail.example.com?x=1",
        "smtps://:hunter2@mail.example.com",
        "smtps://ann@mail.example.com",
        "smtps://ann:hunter2é@mail.example.com",
    ],
)
def test_what_names_no_mail_server_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidInput, match="mail") as error:
        MailServer.parse(url)
    assert "hunter2" not in error.value.message


def test_a_password_is_shown_by_nothing() -> None:
    server = MailServer.parse("smtps://ann:hunt%20er@mail.example.com")
    assert (server.port, server.password) == (465, "hunt er")
    assert "hunt" not in repr(server)
    assert MailServer.parse("smtps://ann@mail.example.com", "hunter2").password == "hunter2"
