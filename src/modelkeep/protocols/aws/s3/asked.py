"""What a request asks for, taken apart: the bucket, the key, the fields of the query."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from modelkeep.domain import objects
from modelkeep.domain.access import Caller, Verb
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.names import check_text
from modelkeep.domain.sharing import LOADING, Lent
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.s3 import xml
from modelkeep.protocols.aws.s3.bodies import Body
from modelkeep.protocols.aws.s3.refusals import refusal
from modelkeep.protocols.http import Scope, Send, caller_of, header, path_of, query_of
from modelkeep.protocols.rules import somewhere
from modelkeep.services import permits
from modelkeep.services.grants import PARTS_LIMIT
from modelkeep.services.permits import Need

LISTS, READS, WRITES = somewhere(Verb.READ), somewhere(Verb.DOWNLOAD), somewhere(Verb.WRITE)
PATIENCE_S = 10.0  # after which a client is told that something is being done; they wait a minute
TEXT_LIMIT = 2048  # of a prefix, a delimiter, a key to begin behind
OWNER = {"ID": "modelkeep", "DisplayName": "modelkeep"}

_DIGITS = 20  # of a number in the query

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Asked:
    """`key` is as the client has it, decoded once."""

    scope: Scope
    send: Send
    body: Body
    bucket: str
    key: str
    query: dict[str, str]

    @classmethod
    def of(cls, scope: Scope, send: Send, body: Body) -> "Asked":
        """Raises InvalidInput."""
        bucket, _, key = path_of(scope).removeprefix("/").partition("/")
        pairs = query_of(scope)
        query = dict(pairs)
        if len(query) < len(pairs):  # whoever passes the request on may put them in another order
            raise InvalidInput("A field of the query comes twice.")
        return cls(scope, send, body, bucket, key, query)

    @property
    def method(self) -> str:
        return self.scope["method"]

    @property
    def caller(self) -> Caller:
        return caller_of(self.scope)

    @property
    def folder(self) -> str:
        """Raises Coded."""
        try:
            return objects.folder_of(self.bucket)
        except InvalidInput as error:
            raise Coded("InvalidBucketName", error.message) from None

    @property
    def path(self) -> str:
        """Raises Coded, InvalidInput."""
        assert self.folder
        return objects.path_of(self.bucket, self.key)

    def header(self, name: str) -> str:
        return header(self.scope, name.encode())

    def text(self, name: str) -> str:
        """A field of the query. Raises InvalidInput for one that is too long, or no text."""
        return check_text(self.query.get(name, ""), name, TEXT_LIMIT)

    def encode(self, key: str) -> str:
        """A key, as the client wants it in an answer. Raises Coded for an encoding that is none."""
        how = self.query.get("encoding-type", "")
        if how not in ("", "url"):
            raise Coded("InvalidArgument", "Invalid Encoding Method specified in Request")
        return quote(key) if how else key

    def number(self, name: str, default: int, most: int) -> int:
        """A field of the query. Raises Coded unless it is 0 or more; what is over `most` is it."""
        given = self.query.get(name, "") or str(default)
        if not (given.isascii() and given.isdigit()):
            raise Coded("InvalidArgument", f"Argument {name} must be an integer of 0 or more.")
        return min(int(given), most) if len(given) <= _DIGITS else most

    async def answer(self, status: int, headers: Headers = (), body: bytes = b"") -> None:
        length = (b"content-length", str(len(body)).encode())
        kind = [(b"content-type", b"application/xml")] if body else []
        told = [*headers, *kind] if status == 204 else [*headers, *kind, length]
        await self.send({"type": "http.response.start", "status": status, "headers": told})
        await self.send({"type": "http.response.body", "body": body})

    async def say_later(self, name: str, content: Awaitable[Mapping[str, object]]) -> None:
        """As `say`, of what may take longer than a client waits for an answer.

        Then spaces are sent until it is there, and what goes wrong is told under the status 200,
        as S3 has it: clients know.
        """
        coming = asyncio.ensure_future(content)
        if (await asyncio.wait([coming], timeout=PATIENCE_S))[0]:
            await self.say(name, await coming)
            return
        headers = [(b"content-type", b"application/xml")]
        await self.send({"type": "http.response.start", "status": 200, "headers": headers})
        begun = xml.head()
        while not coming.done():
            await self.send({"type": "http.response.body", "body": begun, "more_body": True})
            begun = b" "
            await asyncio.wait([coming], timeout=PATIENCE_S)
        request_id: str = self.scope["modelkeep.request_id"]
        failed = coming.exception()
        if failed is None:
            body = xml.document(name, coming.result())
        else:
            told = refusal(failed, request_id)
            body = xml.error(told.code, told.message, self.scope["path"], request_id)
        rest = body.removeprefix(xml.head())
        await self.send({"type": "http.response.body", "body": rest})

    async def say(self, name: str, content: Mapping[str, object], headers: Headers = ()) -> None:
        """Answers with an XML document."""
        await self.answer(200, headers, xml.document(name, content))


def admit_frozen() -> None:
    """Admits the reading of frozen files. A guest may have those of packages that they may
    deploy."""
    permits.admit(Need(Verb.DOWNLOAD, anywhere=True), lent=Lent(LOADING))


def check_number(asked: Asked) -> int:
    """The number of a part. Raises Coded."""
    number = asked.number("partNumber", 0, PARTS_LIMIT + 1)
    if not 1 <= number <= PARTS_LIMIT:
        raise Coded(
            "InvalidArgument",
            f"Part number must be an integer between 1 and {PARTS_LIMIT}, inclusive",
        )
    return number
