"""Objects deleted, one or many."""

from xml.etree.ElementTree import Element

from modelkeep.domain import objects as places
from modelkeep.domain.errors import Forbidden, InvalidInput
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.s3 import xml
from modelkeep.protocols.aws.s3.asked import WRITES, Asked
from modelkeep.protocols.aws.s3.bodies import whole
from modelkeep.services import objects
from modelkeep.services.app import App

DELETES_LIMIT = 1000  # keys of one call
XML_LIMIT_BYTES = 2 << 20
_CONDITIONS = (
    "if-match",
    "if-none-match",
    "x-amz-if-match-last-modified-time",
    "x-amz-if-match-size",
)


async def one(app: App, asked: Asked) -> None:
    WRITES.admit(asked)
    if any(asked.header(name) for name in _CONDITIONS):
        raise Coded("NotImplemented", "Objects are not deleted on a condition.", 501)
    refused = await app.write(objects.delete, asked.caller, [asked.path])
    if refused:
        raise Forbidden(refused[asked.path])
    await asked.answer(204)


async def many(app: App, asked: Asked) -> None:
    """Each key has an answer of its own: that it is deleted, or why it is not."""
    WRITES.admit(asked)
    root = xml.read(await whole(asked.body, XML_LIMIT_BYTES), "Delete")
    keys = [_key(element) for element in root.iter("Object")]
    if not 1 <= len(keys) <= DELETES_LIMIT:
        raise xml.malformed()
    is_quiet = (root.findtext("Quiet") or "").strip() == "true"
    assert asked.folder
    paths, wrong = _paths(asked.bucket, keys)
    refused = await app.write(objects.delete, asked.caller, [*paths.values()]) if paths else {}
    wrong |= {
        key: ("AccessDenied", refused[path]) for key, path in paths.items() if path in refused
    }
    deleted = [] if is_quiet else [{"Key": key} for key in keys if key not in wrong]
    told = [
        {"Key": key, "Code": code, "Message": message} for key, (code, message) in wrong.items()
    ]
    await asked.say("DeleteResult", {"Deleted": deleted, "Error": told})


def _paths(bucket: str, keys: list[str]) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """The path of each key, and what is wrong with those that have none."""
    paths: dict[str, str] = {}
    wrong: dict[str, tuple[str, str]] = {}
    for key in keys:
        try:
            paths[key] = places.path_of(bucket, key)
        except InvalidInput as error:
            wrong[key] = "InvalidArgument", error.message
    return paths, wrong


def _key(element: Element) -> str:
    if element.findtext("VersionId"):
        raise Coded("NotImplemented", "Objects have no versions here.", 501)
    if any(element.findtext(name) for name in ("ETag", "LastModifiedTime", "Size")):
        raise Coded("NotImplemented", "Objects are not deleted on a condition.", 501)
    return element.findtext("Key") or ""
