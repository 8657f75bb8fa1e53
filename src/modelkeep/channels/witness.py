"""Asks a witness for its cosignature, over HTTP. Its address is the administrator's setting."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from functools import cached_property

from modelkeep.domain.notes import PublicKey
from modelkeep.domain.receipts import Submission
from modelkeep.ports.checkpoints import Reply

ATTEMPT_S = 5.0
ANSWER_LIMIT_BYTES = 16_384


class HttpWitness:
    """See `ports.checkpoints.Witness`. `url` is the submission prefix, without a last slash."""

    def __init__(self, url: str, key: PublicKey) -> None:
        self._url, self._key = url, key

    @property
    def key(self) -> PublicKey:
        return self._key

    async def submit(self, submission: Submission) -> Reply:
        import httpx  # a server without witnesses never pays for it

        content = submission.encode().encode()
        try:
            async with asyncio.timeout(ATTEMPT_S):
                return await self._post(f"{self._url}/add-checkpoint", content)
        except (TimeoutError, httpx.HTTPError) as error:
            return Reply(0, str(error) or type(error).__name__)

    async def _post(self, url: str, content: bytes) -> Reply:
        import httpx

        async with (
            httpx.AsyncClient(trust_env=False, verify=self._tls) as client,
            client.stream("POST", url, content=content) as answer,
        ):
            return Reply(answer.status_code, await _text(answer.aiter_bytes()))

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        import httpx

        return httpx.create_ssl_context()


async def _text(chunks: AsyncIterator[bytes]) -> str:
    body = b""
    async for chunk in chunks:
        body += chunk
        if len(body) > ANSWER_LIMIT_BYTES:
            break
    return body[:ANSWER_LIMIT_BYTES].decode(errors="replace")
