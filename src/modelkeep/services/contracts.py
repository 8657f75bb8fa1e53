"""Reads a version's contract from the file `MLmodel` that it froze.

The file is anyone's: it's parsed into texts, lists and mappings by events, so that no tag of YAML
makes anything else of it, no reference makes it grow, and no depth breaks the reader.
"""

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

import yaml

from modelkeep.domain import contracts
from modelkeep.domain.contracts import Contract
from modelkeep.domain.manifests import File, Manifest
from modelkeep.ports.work import Work
from modelkeep.services.artifacts import SMALL_BYTES

MODEL_FILE = "MLmodel"
DEPTH_LIMIT = 32
EVENTS_LIMIT = 5_000  # of the parser, which takes milliseconds for them
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
# The C library's parser is ten times as fast; wheels of PyYAML have it.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def in_manifest(work: Work, manifest: Manifest) -> Contract | None:
    """The contract that a tree's file says; None where there is no file, or a large one."""
    file = next((file for file in manifest.files if file.path == MODEL_FILE), None)
    return _in_file(work, file) if file else None


def in_version(work: Work, version_id: int) -> Contract | None:
    """As `in_manifest`, of a version's frozen tree."""
    file = work.artifacts.frozen_file(version_id, MODEL_FILE)
    return _in_file(work, file) if file else None


def _in_file(work: Work, file: File) -> Contract | None:
    if file.size_bytes > SMALL_BYTES:
        return None
    content = work.artifacts.kept(file.sha256)
    if content is None or hashlib.sha256(content).hexdigest() != file.sha256:
        return None
    return parse(bytes(content))


@lru_cache(maxsize=128)
def parse(content: bytes) -> Contract | None:
    """The contract in a file's bytes; None if they are no YAML, or none that we read."""
    try:
        return contracts.read(_document(content.decode()))
    except (yaml.YAMLError, ValueError):
        return None


def _document(text: str) -> Any:
    """The first document, of texts, None, lists and mappings. Raises ValueError for other ones."""
    events = islice(yaml.parse(text, _Loader), EVENTS_LIMIT)
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            return _value(events, next(events, None), 0)
    return None


def _value(events: Iterator[Any], event: Any, depth: int) -> Any:
    """What begins with an event; the events that belong to it are taken."""
    if isinstance(event, yaml.ScalarEvent):
        return None if event.implicit[0] and event.value in _NULLS else event.value
    if not isinstance(event, yaml.CollectionStartEvent) or depth == DEPTH_LIMIT:
        raise ValueError  # a reference, or the end of what is read
    if isinstance(event, yaml.SequenceStartEvent):
        return [_value(events, item, depth + 1) for item in _until_end(events)]
    found: dict[str, Any] = {}
    for item in _until_end(events):
        key = _value(events, item, depth + 1)
        if not isinstance(key, str) or key in found:
            raise ValueError
        found[key] = _value(events, next(events, None), depth + 1)
    return found


def _until_end(events: Iterator[Any]) -> Iterator[Any]:
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            return
        yield event
    raise ValueError  # it has more than are read
