"""An S3 store as the adapters here speak to it: botocore's client, with our errors and time-outs.

Credentials, region and endpoint come from where AWS's own tools take them (environment, shared
files, container and instance roles). A call is tried four times, with jitter in between, where
the store says 5xx or 429, or nothing; after that, or where it refuses us, Unavailable is raised:
that is never the client's fault. botocore is imported here alone, and only when a store is opened.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from modelkeep.domain.errors import Unavailable
from modelkeep.domain.stores import Place

ATTEMPTS = 4  # of one call, the first included
CONNECT_TIMEOUT_S = 3
READ_TIMEOUT_S = 30  # between two packets
CONNECTIONS = 32
MISSING = (
    "An S3 store needs a library that is not installed: pip install 'modelkeep[s3]' brings it."
)
_ABSENT = frozenset(("404", "NoSuchKey", "NotFound"))


class Absent(Exception):
    """There is no such object."""


class Present(Exception):
    """There is one already (412, or 409 while another writes it), or it is not the one meant."""


class Refused(Exception):
    """The store says that the call itself is wrong. `code` is the store's word for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def connect(endpoint_url: str) -> Any:
    """A client of the store. Raises Unavailable without the library or a region it can use."""
    try:
        import botocore.session
        from botocore.config import Config
    except ImportError:
        raise Unavailable(MISSING) from None
    session = botocore.session.Session()
    config = Config(
        signature_version="s3v4",
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=CONNECTIONS,
        # Every byte that comes is hashed here, against the name of what it belongs to.
        response_checksum_validation="when_required",
        # A store of one's own rarely has a domain for each bucket.
        s3={"addressing_style": "path"} if endpoint_url else None,
    )
    region = session.get_config_variable("region") or "us-east-1"
    try:
        return session.create_client(
            "s3", region_name=region, endpoint_url=endpoint_url or None, config=config
        )
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "botocore":
            raise
        raise Unavailable(f"The S3 store cannot be used: {error}") from None


@contextlib.contextmanager
def spoken(place: Place) -> Iterator[None]:
    """Turns what botocore raises into Absent, Present, Refused or Unavailable."""
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

    try:
        yield
    except ClientError as error:
        _raise(place, error.response)
    except (BotoCoreError, HTTPClientError, OSError) as error:
        raise Unavailable(
            f"The artifact store {place} did not answer ({type(error).__name__}). "
            "Nothing was changed by this call; try it again."
        ) from error


def _raise(place: Place, response: Any) -> None:
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    error = response.get("Error", {})
    code, message = str(error.get("Code", "")), str(error.get("Message", ""))
    if code in _ABSENT:
        raise Absent
    if status in (409, 412):
        raise Present
    if status in (401, 403) or code == "NoSuchBucket":
        raise Unavailable(
            f"The artifact store {place} refuses this server ({code}): its bucket or credentials "
            "are wrong. Whoever runs the server must look."
        )
    if 400 <= status < 500 and status not in (408, 429):
        raise Refused(code, message)
    raise Unavailable(
        f"The artifact store {place} fails ({code or status}). "
        "Nothing was changed by this call; try it again."
    )
