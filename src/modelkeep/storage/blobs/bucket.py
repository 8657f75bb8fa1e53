"""An S3 store as the adapters here speak to it: botocore's client, with our errors and time-outs.

Credentials, region and endpoint come from where AWS's own tools take them (environment, shared
files, container and instance roles). A call is tried three times, with jitter in between, where
the store says 5xx or 429, or nothing; after that, or where it refuses us, Unavailable is raised:
that is never the client's fault. botocore is imported here alone, and only when a store is opened.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from modelkeep.domain.errors import Unavailable
from modelkeep.domain.stores import Place

ATTEMPTS = 3  # of one call, the first included
CONNECT_TIMEOUT_S = 3
READ_TIMEOUT_S = 20  # between two packets
RESUMES = 4  # of a download that breaks off
CONNECTIONS = 32
NOT_IMPLEMENTED = "NotImplemented"
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
    """A client of the store. Raises Unavailable without a region that it can use."""
    import botocore.session
    from botocore.config import Config

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
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        CredentialRetrievalError,
        HTTPClientError,
        NoCredentialsError,
        PartialCredentialsError,
    )

    try:
        yield
    except ClientError as error:
        _raise(place, error.response)
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError) as error:
        raise Unavailable(
            f"There are no credentials for the artifact store {place}: {error}. Set AWS_PROFILE, "
            "or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, where the server runs."
        ) from error
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
    if status == 501:
        raise Refused(NOT_IMPLEMENTED, message)
    if 400 <= status < 500 and status not in (408, 429):
        raise Refused(code, message)
    raise Unavailable(
        f"The artifact store {place} fails ({code or status}). "
        "Nothing was changed by this call; try it again."
    )


class Bucket:
    """A place in a store. `client` is `connect`'s, for any number of threads and buckets."""

    def __init__(self, place: Place, client: Any) -> None:
        self.place, self.client = place, client

    def call(self, operation: str, **arguments: Any) -> Any:
        """One call of the store, on this bucket. Raises Absent, Present, Refused, Unavailable."""
        with spoken(self.place):
            return getattr(self.client, operation)(Bucket=self.place.bucket, **arguments)

    def check(self) -> None:
        """Raises Unavailable for a store that is away, or that does not let us look."""
        try:
            self.call("list_objects_v2", Prefix=self.place.key(""), MaxKeys=1)
        except (Absent, Present, Refused) as error:
            raise Unavailable(f"The artifact store {self.place} cannot be used: {error}.") from None

    def listed(self, prefix: str) -> Iterator[dict[str, Any]]:
        """Every object under a prefix, with `Key`, `Size`, `ETag` and `LastModified`."""
        more: dict[str, Any] = {}
        while True:
            page = self.call("list_objects_v2", Prefix=prefix, **more)
            yield from page.get("Contents", ())
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}


class Stream:
    """An object's bytes from a position on, up to another if one is given; taken up again where the
    connection breaks.

    Raises Absent if there is none, Present if it has not that ETag; and, from `read` too,
    Unavailable once `RESUMES` did not help.
    """

    def __init__(
        self, bucket: Bucket, key: str, start: int = 0, stop: int | None = None, etag: str = ""
    ) -> None:
        self._bucket, self._key, self._position = bucket, key, start
        self._last = "" if stop is None else str(stop - 1)
        self._only = {"IfMatch": etag} if etag else {}
        self._left = RESUMES
        self._body: Any = self._get()

    def read(self, size: int) -> bytes:
        """The next `size` bytes, fewer only at the end."""
        while True:
            try:
                with spoken(self._bucket.place):
                    chunk = self._body.read(size)
                self._position += len(chunk)
                return chunk
            except Unavailable:
                self._body.close()
                if self._left == 0:
                    raise
                self._left -= 1
                self._body = self._get_again()

    def close(self) -> None:
        """Gives up what was not read."""
        self._body.close()

    def _get_again(self) -> Any:
        try:
            return self._get()
        except (Absent, Present):
            raise Unavailable(f"{self._key} was changed while it was read.") from None

    def _get(self) -> Any:
        try:
            part = f"bytes={self._position}-{self._last}"
            wanted = {} if part == "bytes=0-" else {"Range": part}
            return self._bucket.call("get_object", Key=self._key, **wanted, **self._only)["Body"]
        except Refused as error:
            if error.code == "InvalidRange":  # shorter than it should be
                return _NOTHING
            raise Unavailable(f"The artifact store says: {error.message}") from None


class _Nothing:
    def read(self, size: int) -> bytes:
        return b""

    def close(self) -> None:
        pass


_NOTHING = _Nothing()
