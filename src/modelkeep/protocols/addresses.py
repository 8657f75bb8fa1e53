"""The address under which a client reached this server, for the URLs that it is given to follow.

Whoever asks is the only one who gets the answer, so a header that lies misleads its own sender
and nobody else; answers that hold such a URL must not be stored (`Cache-Control: no-store`).
What cannot be known is not guessed: a client that was sent to a wrong address could not fall back.

* `--public-url`, where it is set, is the address.
* A request that came straight here names the address in its `Host`.
* A proxy must say what the client asked it for: `X-Forwarded-Host`, and `X-Forwarded-Proto` and
  `X-Forwarded-Prefix` where they differ from `http` and nothing.
"""

import re

from modelkeep.protocols.http import Scope, header

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.\-]+)(:\d{1,5})?", re.ASCII)
_PREFIX = re.compile(r"(/[\w.~\-]+)*/?", re.ASCII)
_SIGNS_OF_A_PROXY = (b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-proto")


def address_of(scope: Scope, public_url: str) -> str | None:
    """`https://host/prefix` without a slash at its end; None if it cannot be known."""
    if public_url:
        return public_url.rstrip("/")
    host = header(scope, b"x-forwarded-host")
    if not host:
        return None if _is_proxied(scope) else f"{scope['scheme']}://{header(scope, b'host')}"
    scheme = header(scope, b"x-forwarded-proto") or scope["scheme"]
    prefix = header(scope, b"x-forwarded-prefix")
    is_plain = _HOST.fullmatch(host) and _PREFIX.fullmatch(prefix)
    return f"{scheme}://{host}{prefix.rstrip('/')}" if is_plain and _is_http(scheme) else None


def _is_proxied(scope: Scope) -> bool:
    # Clients speak HTTP/1.1; a proxy that says nothing at all often speaks 1.0.
    return scope["http_version"] == "1.0" or any(header(scope, n) for n in _SIGNS_OF_A_PROXY)


def _is_http(scheme: str) -> bool:
    return scheme in ("http", "https")
