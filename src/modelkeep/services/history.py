"""The past of a model: what was where at a moment, and who moved what when and why."""

from dataclasses import dataclass
from typing import Any

import msgspec

from modelkeep.domain.accounts import Account
from modelkeep.domain.errors import NotFound
from modelkeep.ports.journal import Entry
from modelkeep.ports.registry import Occupancy
from modelkeep.ports.work import Work
from modelkeep.services import marks
from modelkeep.services.marks import Marks


@dataclass(frozen=True, slots=True)
class Moment:
    """What every slot of a model held at a time. `name_then` is what it was called, `past_gates`
    has the emergencies among the stays."""

    model: str
    name_then: str
    at_ms: int
    stays: list[Occupancy]
    past_gates: Marks


def at(work: Work, model: str, at_ms: int) -> Moment:
    """The model that bore the name then, else the one that bears it now. Raises NotFound."""
    named = work.models.named_at(model, at_ms)
    if named is None:
        raise NotFound(f"No model was ever named {model}.")
    stays = work.slots.at(named[0], at_ms)
    return Moment(model, named[1], at_ms, stays, marks.of_stays(work, named[0], stays))


def of_model(
    work: Work, model: str, before: int | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """The journal's entries about a model, newest first; also of one deleted or renamed since."""
    named = work.models.named_at(model, work.now_ms)
    if named is None:
        raise NotFound(f"No model was ever named {model}.")
    return [told(work, entry) for entry in work.journal.of_model(named[0], before, limit)]


def entries(work: Work, start: int, limit: int) -> list[dict[str, Any]]:
    """Entries of the journal from an index on, in order."""
    return [told(work, entry) for entry in work.journal.entries(start, limit)]


def told(work: Work, entry: Entry) -> dict[str, Any]:
    """An entry for a reader: its leaf's facts, with the texts that were not erased.

    One about an account, its tokens or grants has its name of now as `account`: the leaf itself
    has only the id, so that a name can be erased.
    """
    leaf = msgspec.json.decode(entry.body)
    texts = {name: text for name, (_, text) in entry.texts.items()}
    about = _account(work, leaf)
    named = {"account": about.name} if about else {}
    return {"index": entry.index, "hash": entry.hash.hex(), **leaf, "texts": texts, **named}


def _account(work: Work, leaf: dict[str, Any]) -> Account | None:
    account_id = leaf["obj"].get("account")
    if leaf["act"].startswith("token:"):
        ids = [leaf["obj"].get("token"), *leaf["post"].get("revoked", ())]
        token = next((found for id in ids if id and (found := work.accounts.token(id))), None)
        account_id = token.account_id if token else None
    return work.accounts.get(account_id) if account_id else None
