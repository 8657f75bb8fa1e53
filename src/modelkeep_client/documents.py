"""Documents of versions: a card, a validation report, whatever a policy asks for."""

from dataclasses import dataclass

from modelkeep_client.addresses import Which, of_version, segment
from modelkeep_client.transport import Transport
from modelkeep_client.values import built


@dataclass(frozen=True, slots=True)
class Document:
    """A document. `revision` counts those under one name; `body` is None in a list."""

    name: str
    revision: int
    media_type: str
    sha256: str
    size_bytes: int
    author: str
    attached: str
    body: str | None = None


class Documents:
    """The documents of a server's versions; `client.documents` is one."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def attach(
        self, model: str, which: Which, name: str, body: str, *, media_type: str = "text/markdown"
    ) -> Document:
        """Attaches a text of at most 262,144 bytes; one of that name stays as a revision.

        `media_type`: text/markdown, text/plain or application/json.
        """
        what = {"body": body, "media_type": media_type}
        return built(Document, self._transport.change("PUT", _path(model, which, name), what))

    def list(self, model: str, which: Which) -> list[Document]:
        """The newest of each name, without their texts."""
        found = self._transport.get(f"{of_version(model, which)}/documents")
        return [built(Document, document) for document in found]

    def get(self, model: str, which: Which, name: str, *, revision: int | None = None) -> Document:
        """A document with its text: the newest of that name, or an older one. Raises NotFound."""
        return built(Document, self._transport.get(_path(model, which, name), revision=revision))


def _path(model: str, which: Which, name: str) -> str:
    return f"{of_version(model, which)}/documents/{segment(name)}"
