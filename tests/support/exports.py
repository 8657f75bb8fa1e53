"""Exports of a journal that was never in a database: many entries, quickly made."""

import copy
import json
from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from modelkeep.domain.access import Actor
from modelkeep.domain.events import Event, encode
from modelkeep.domain.merkle import Frontier, leaf_hash
from modelkeep.domain.notes import LOG_KIND, WITNESS_KIND, Checkpoint, Note, PublicKey, cosigned
from tests.support.clock import NOON_MS

Line = dict[str, Any]
SECRET = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
WITNESS_SECRET = Ed25519PrivateKey.from_private_bytes(bytes(32))
LOG = PublicKey("log.example/1", LOG_KIND, SECRET.public_key().public_bytes_raw())
WITNESS = PublicKey("w.example/1", WITNESS_KIND, WITNESS_SECRET.public_key().public_bytes_raw())


def entries(count: int) -> list[Line]:
    """Entries of one kind, a hundred to a second, without texts."""
    found: list[Line] = []
    frontier = Frontier()
    for index in range(count):
        at_ms = NOON_MS + 1000 * (index // 100)
        leaf = encode(_event(index), at_ms=at_ms, project="p", actor=Actor(), request_id="r")
        frontier = frontier.append(leaf_hash(leaf.body))
        found.append(
            {
                "kind": "entry",
                "index": index,
                "at_ms": at_ms,
                "model": None,
                "body": leaf.body.decode(),
                "hash": leaf_hash(leaf.body).hex(),
                "root": frontier.root.hex(),
                "texts": {name: list(text) for name, text in leaf.texts.items()},
            }
        )
    return found


def _event(index: int) -> Event:
    return Event("webhook:replayed", object={"webhook": f"w{index}"})


def frontier_of(found: Sequence[Line]) -> Frontier:
    frontier = Frontier()
    for entry in found:
        frontier = frontier.append(leaf_hash(entry["body"].encode()))
    return frontier


def head(found: Sequence[Line]) -> Line:
    edge = frontier_of(found)
    return {"kind": "head", "size": edge.size, "peaks": edge.encode().hex()}


def signed(found: Sequence[Line], size: int, cosigned_s: int | None = None) -> Line:
    """The checkpoint of the first so many entries."""
    tree = Checkpoint(LOG.name, size, frontier_of(found[:size]).root)
    note = Note(tree.text, (LOG.signature(SECRET.sign(tree.text.encode())),))
    if cosigned_s is not None:
        signature = WITNESS_SECRET.sign(cosigned(tree.text, cosigned_s))
        note = note.signed(WITNESS.signature(cosigned_s.to_bytes(8, "big") + signature))
    at_ms = found[size - 1]["at_ms"] if size else NOON_MS
    return {"kind": "checkpoint", "vkey": LOG.vkey, "at_ms": at_ms, "note": note.source}


def export(found: Sequence[Line], checkpoints: Sequence[Line] = ()) -> list[Line]:
    return [head(found), *checkpoints, *found, {"kind": "end"}]


def rebuilt(found: Sequence[Line]) -> list[Line]:
    """The entries with hashes, roots and indexes as if they had always been these."""
    made, frontier = [], Frontier()
    for index, entry in enumerate(copy.deepcopy(list(found))):
        digest = leaf_hash(entry["body"].encode())
        frontier = frontier.append(digest)
        entry |= {"index": index, "hash": digest.hex(), "root": frontier.root.hex()}
        made.append(entry)
    return made


def forged(entry: Line) -> Line:
    """Another body, that reads as well as the first."""
    leaf = json.loads(entry["body"])
    leaf["project"] = "q"
    return {**entry, "body": json.dumps(leaf, sort_keys=True, separators=(",", ":"))}
