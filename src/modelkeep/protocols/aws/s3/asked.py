"""What a request asks for, taken apart: the bucket, the key, the fields of the query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelkeep.domain import objects
from modelkeep.domain.access import Caller, Verb
from modelkeep.domain.errors import InvalidInput
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.s3 import xml
from modelkeep.protocols.aws.s3.bodies import Body
from modelkeep.protocols.http import Scope, Send, caller_of, header, path_of, query_of
from modelkeep.protocols.rules import somewhere

LISTS, READS, WRITES = somewhere(Verb.READ), somewhere(Verb.DOWNLOAD), somewhere(Verb.WRITE)

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

    async def say(self, name: str, content: Mapping[str, object], headers: Headers = ()) -> None:
        """Answers with an XML document."""
        await self.answer(200, headers, xml.document(name, content))
