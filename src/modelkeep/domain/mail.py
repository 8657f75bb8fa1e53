"""E-mail: which addresses there are, who takes it, and what a letter of a topic says.

Sources: RFC 5321 (addresses, their lengths), RFC 2369 and 8058 (how to unsubscribe), RFC 3834
(letters that nobody wrote).
"""

import json
import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from modelkeep.domain.addresses import is_address
from modelkeep.domain.errors import InvalidInput

PROTOCOLS = ("email", "email-json")  # as a topic's subscribers ask for it; also a URL's scheme
ADDRESS_LIMIT, LOCAL_LIMIT = 254, 64  # characters
DEFAULT_SUBJECT = "A message of the topic {topic}"
CONFIRMATION_SUBJECT = "Confirm your subscription to the topic {topic}"

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(r"\w[\w-]{0,62}(\.\w[\w-]{0,62})*", re.ASCII)
_ADDRESS = re.compile(rf"(?P<local>{_ATOM}(?:\.{_ATOM})*)@(?P<domain>{_LABEL}(?:\.{_LABEL})*)")
_PORTS = {"smtps": 465, "smtp+starttls": 587, "smtp": 25}
_SERVER = "mail must be smtps://, smtp+starttls:// or smtp://, and host:port after user:password@"


def check_address(address: str, said: str) -> str:
    """The domain of an address in plain ASCII. Raises InvalidInput with `said` for any other."""
    found = _ADDRESS.fullmatch(address)
    if not found or len(address) > ADDRESS_LIMIT or len(found["local"]) > LOCAL_LIMIT:
        raise InvalidInput(said)
    return found["domain"]


@dataclass(frozen=True, slots=True)
class MailServer:
    """Who takes our letters. `smtps` speaks TLS from the first byte, `smtp+starttls` refuses to go
    on without it, and `smtp` is for a relay that is trusted, and so is the way to it."""

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str, password: str = "") -> "MailServer":
        """Of the setting; `password` is one that was given apart. Raises InvalidInput, which does
        not repeat the URL."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise InvalidInput(f"{_SERVER}.") from None
        is_bare = parts.path in ("", "/") and not parts.query and not parts.fragment
        host = parts.hostname or ""
        is_host = _HOST.fullmatch(host) or is_address(host)
        if parts.scheme not in _PORTS or not is_host or port == 0 or not is_bare:
            raise InvalidInput(f"{_SERVER}.")
        user = unquote(parts.username or "")
        password = password or unquote(parts.password or "")
        if bool(user) != bool(password):
            raise InvalidInput("mail has a user and a password (or mail_password), or neither.")
        if not (user + password).isascii():
            raise InvalidInput("mail has a user and a password of ASCII alone.")
        return cls(parts.scheme, host, port or _PORTS[parts.scheme], user, password)


@dataclass(frozen=True, slots=True)
class Letter:
    """`id` stays the same however often it is sent; `sent_at` is an instant in ISO 8601,
    `unsubscribe` a URL, or empty, and `sender` what the sender's address is called, or empty."""

    id: str
    to: str
    subject: str
    text: str
    sent_at: str
    unsubscribe: str = ""
    sender: str = ""


def letter(delivery_id: str, url: str, envelope: str, sender: str) -> Letter:
    """What a message of SNS is by e-mail to a subscription with this URL: in words, or by
    `email-json` the envelope itself; `sender` is what the topic calls itself."""
    protocol, _, to = url.partition(":")
    told = json.loads(envelope)
    topic = told["TopicArn"].rpartition(":")[2]
    is_asking = told["Type"] == "SubscriptionConfirmation"
    subject = (CONFIRMATION_SUBJECT if is_asking else DEFAULT_SUBJECT).format(topic=topic)
    unsubscribe = told.get("UnsubscribeURL", "")
    if protocol == "email-json":
        text = envelope
    else:
        text = _asking(told) if is_asking else _telling(told, unsubscribe)
    return Letter(
        delivery_id, to, told.get("Subject", subject), text, told["Timestamp"], unsubscribe, sender
    )


def _asking(told: dict[str, str]) -> str:
    return (
        f"Somebody asked for messages of the topic\n{told['TopicArn']}\nto be sent to this "
        "address. If you want them, follow this link, which is good for three days:\n\n"
        f"{told['SubscribeURL']}\n\n"
        "If you do not, do nothing: you will get none.\n"
    )


def _telling(told: dict[str, str], unsubscribe: str) -> str:
    text = f"{told['Message']}\n\n-- \nSent by the topic {told['TopicArn']}.\n"
    return text + (f"To get no more of these, follow this link:\n{unsubscribe}\n")
