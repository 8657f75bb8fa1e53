"""Which addresses a server may be told to contact, and how a URL may name them.

Whoever can make a webhook chooses where this server connects to, and it stands where they may not.
So only addresses that anyone on the Internet could reach are contacted, unless the operator allows
private ones; and a URL is read in one way only: what other readers take for an address, a name or
a user without saying so is refused, never repaired. A name is judged by what it resolves to, and
the socket once more by its peer: between two questions a name may change its mind.

Sources: RFC 6890 (special addresses), RFC 6052 and 8215 (NAT64), RFC 3056 (6to4), the WHATWG URL
standard ("ends in a number"), MLflow 3.17.2 `utils/validation.py` for the texts.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from modelkeep.domain.errors import InvalidInput

URL_LIMIT = 2_000  # characters
FIELD = "Webhook URL"

_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_\-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_\-]*[a-z0-9_])?)*\.?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_VISIBLE = re.compile(r"[!-~]+")  # ASCII without controls and spaces

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads: `host` is a name in lower case or a canonical address, without brackets.

    `authority` is host and port as the URL has them, `path` begins with "/" and has the query.
    """

    url: str
    scheme: str
    host: str
    port: int
    authority: str
    path: str


def parse_target(url: str, *, allow_private: bool) -> Target:
    """Reads a URL without asking anyone. Raises InvalidInput, in MLflow's words where it has any.

    `allow_private` admits plain `http:` and addresses that are not public.
    """
    parts = _split(url)
    schemes = ("https", "http") if allow_private else ("https",)
    if parts.scheme not in schemes:
        raise InvalidInput(
            f"Invalid webhook URL scheme: {parts.scheme!r}. "
            f"Allowed schemes are: {', '.join(schemes)}."
        )
    if not parts.hostname:
        raise InvalidInput(f"Webhook URL must include a hostname: {url!r}")
    if "@" in parts.netloc:
        raise InvalidInput("Webhook URL must not carry a user name or password.")
    host = _checked_host(parts.hostname, bracketed="[" in parts.netloc)
    if not allow_private and is_address(host):
        check_address(host, host)
    port = _port(parts) or (443 if parts.scheme == "https" else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(url, parts.scheme, host, port, parts.netloc, path)


def _split(url: str) -> SplitResult:
    if not url.strip():
        raise InvalidInput(f"Webhook URL cannot be empty or just whitespace: {url!r}")
    if len(url) > URL_LIMIT:
        raise InvalidInput(f"Webhook URL exceeds the maximum length of {URL_LIMIT} characters.")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InvalidInput(f"Invalid webhook URL {url!r}: {error!r}") from None
    if not _VISIBLE.fullmatch(url) or "\\" in url:
        raise InvalidInput(
            f"Invalid webhook URL {url!r}: it may hold visible ASCII characters only, and no "
            "backslash. Write other characters of a path as %XX, and a name in punycode."
        )
    return parts


def _port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise InvalidInput(f"Invalid webhook URL {parts.geturl()!r}: a port is 1 to 65535.")
    return port


def _checked_host(host: str, *, bracketed: bool) -> str:
    if bracketed:
        if "%" in host or not is_address(host):
            raise _not_canonical(host)
        return host
    if _NUMBER.fullmatch(host.rstrip(".").rsplit(".", 1)[-1]):
        # Resolvers take 127.1, 0x7f.1 and 2130706433 for addresses, each in its own way.
        if not is_address(host):
            raise _not_canonical(host)
        return host
    if not _NAME.fullmatch(host) or len(host) > 253:
        raise InvalidInput(f"{FIELD} host {host!r} is no host name.")
    return host


def _not_canonical(host: str) -> InvalidInput:
    return InvalidInput(f"{FIELD} host {host!r} is not a canonical IP address literal.")


def is_address(text: str) -> bool:
    """Whether a text is an address in its canonical spelling, and no name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def check_address(address: str, host: str) -> None:
    """Raises InvalidInput unless anyone on the Internet could reach the address that `host` has."""
    if not is_public(address):
        raise InvalidInput(
            f"{FIELD} must not resolve to a non-public IP address. {host!r} resolves to {address}."
        )


def is_public(address: str) -> bool:
    """Whether an address, and one that it carries within, is of the public Internet.

    Not: private, loopback, link-local (with the clouds' metadata), multicast, reserved, shared by
    carriers, documentation; nor what is no address at all.
    """
    try:
        ip = _embedded(ipaddress.ip_address(address))
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local:
        return False
    is_special = ip.is_multicast or ip.is_reserved or ip.is_link_local or ip.is_unspecified
    return ip.is_global and not is_special


def _embedded(ip: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    found = ip.ipv4_mapped or ip.sixtofour
    if found is None and any(ip in network for network in _NAT64):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return found or ip
