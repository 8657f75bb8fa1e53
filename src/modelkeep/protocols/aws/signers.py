"""Who has signed a call, where there are accounts.

The key's account calls, with its grants. What was signed is verified before anything is made of it,
and a signature under which something was changed is spent (`services.spending`); but for the
presigned addresses of S3, which are good until they expire, as often as one likes.
"""

import hashlib
from collections.abc import Callable, Collection, MutableMapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from modelkeep.domain.errors import InvalidInput, LimitExceeded, Unauthenticated
from modelkeep.domain.sharing import Guest, Place
from modelkeep.ports.work import Work
from modelkeep.protocols import doors
from modelkeep.protocols.aws import sigv4
from modelkeep.protocols.aws.sigv4 import Signature, SignatureDoesNotMatch
from modelkeep.protocols.http import Receive, Scope, read_body
from modelkeep.services import spending
from modelkeep.services.directory import Directory, Key

MLFLOW_SERVICES = ("sagemaker-mlflow", "sagemaker")  # that SageMaker's plugin of MLflow signs for
_MARGIN_MS = 60_000  # for which a spent signature is kept after nobody would believe it


class MissingToken(Unauthenticated):
    """A call of AWS's dialects that is not signed at all."""


class Signers:
    """Finds and enters those who sign, by the access keys of a directory. Whose key is of another
    account than this, the server's own, is a guest."""

    def __init__(self, directory: Directory, now_ms: Callable[[], int], account: str) -> None:
        self._directory, self._now_ms, self._account = directory, now_ms, account

    def find(self, scope: Scope) -> tuple[Signature, Key]:
        """Who says to have signed a call, which is not to be believed yet.

        Raises Unauthenticated where nobody has, or nobody who is known.
        """
        signature = sigv4.read(scope)
        if signature is None:
            raise MissingToken("Missing Authentication Token")
        return signature, self._directory.key(signature.key_id)

    def enter(
        self,
        scope: Scope,
        signature: Signature,
        key: Key,
        body_sha256: str,
        services: Collection[str] = (),
    ) -> None:
        """Lets the holder of the key in, who has signed this for one of the services; or for any,
        where none is named.

        `body_sha256` as for `sigv4.verify`. Raises SignatureDoesNotMatch.
        """
        if services and signature.service not in services:
            raise wrong_service(next(iter(services)))
        now = datetime.fromtimestamp(self._now_ms() / 1000, UTC)
        sigv4.verify(signature, key.secret, scope, body_sha256, now)
        self._directory.mark_used(key.identity)
        doors.enter(scope, key.identity, _spending(signature), self._guest(signature, key))

    def _guest(self, signature: Signature, key: Key) -> Guest | None:
        if key.account_number in ("", self._account):
            return None
        at = Place(signature.region, self._account)
        return Guest(key.account_number, key.identity.actor, at)

    async def verify(self, limit_bytes: int, scope: Scope, receive: Receive) -> Receive:
        """Enters who has signed a call of MLflow's, and gives its body again."""
        signature, key = self.find(scope)
        try:
            body = await read_body(scope, receive, limit_bytes)
        except LimitExceeded:
            raise Unauthenticated(
                f"A signature over more than {limit_bytes} bytes is not verified: use a token."
            ) from None
        except InvalidInput as error:  # the client has gone
            raise Unauthenticated(error.message) from None
        self.enter(scope, signature, key, hashed(signature, body), MLFLOW_SERVICES)
        return _again(body, receive)


def wrong_service(right: str) -> SignatureDoesNotMatch:
    return SignatureDoesNotMatch(f"Credential should be scoped to correct service: '{right}'.")


def hashed(signature: Signature, body: bytes) -> str:
    """The hash of a body, in hexadecimal. Raises SignatureDoesNotMatch where another was told."""
    found = hashlib.sha256(body).hexdigest()
    if signature.payload not in (None, found):
        raise SignatureDoesNotMatch(
            "The x-amz-content-sha256 that was sent is not the SHA-256 of the body."
        )
    return found


def _spending(signature: Signature) -> Callable[[Work], None] | None:
    if signature.is_presigned and signature.service == "s3":
        return None
    until_ms = int((signature.at + signature.lasts).timestamp() * 1000) + _MARGIN_MS
    return partial(spending.spend, signature=signature.signature, until_ms=until_ms)


def _again(body: bytes, receive: Receive) -> Receive:
    left = [body]

    async def receive_again() -> MutableMapping[str, Any]:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return receive_again
