"""What a leaf of the journal announces to webhooks: topics, each with its payload.

MLflow's topics have MLflow's payloads (3.17.2, `webhooks/types.py`, `server/handlers.py`), ours
theirs (docs/webhooks.md). One leaf may announce several things: a promotion that archives another
version and takes an alias along announces all three. A model whose tag `mlflow.prompt.is_prompt`
says "true" is a prompt, and its topics are the PROMPT ones instead.

Nothing tells a secret: of a token its id, of a password that there is a new one.

What an import did is the past of another server and no news; only the requests that it leaves
behind are, because somebody has to answer them.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from modelkeep.domain.events import instant
from modelkeep.domain.webhooks import Topic

PROMPT_TAG = "mlflow.prompt.is_prompt"
_PROMPT_TYPE_TAG, _PROMPT_TEXT_TAG = "_mlflow_prompt_type", "mlflow.prompt.text"
_PROMPT_TOPICS = {
    "REGISTERED_MODEL": "PROMPT",
    "REGISTERED_MODEL_TAG": "PROMPT_TAG",
    "MODEL_VERSION": "PROMPT_VERSION",
    "MODEL_VERSION_TAG": "PROMPT_VERSION_TAG",
    "MODEL_VERSION_ALIAS": "PROMPT_ALIAS",
}

Data = dict[str, Any]
Told = tuple[str, str, Data]  # entity, action, payload


@dataclass(frozen=True, slots=True)
class Announcement:
    """A topic and the `data` of its payload."""

    topic: Topic
    data: Data


def is_prompt(value: str | None) -> bool:
    """Whether a model with this value of the tag (None without it) is a prompt."""
    return (value or "").lower() == "true"


def announced(
    leaf: Mapping[str, Any],
    of_prompt: bool,
    requests: Mapping[int, Data],
    loaded_by: Sequence[Data] = (),
) -> list[Announcement]:
    """What a leaf, with its texts by name, announces, in order.

    `of_prompt`: whether its model is a prompt by now; `requests`: the payloads of the approval
    requests that it names, by id; `loaded_by`: who loaded the version whose life it ends, lately.
    """
    found: list[Announcement] = []
    created = leaf["act"] in ("model:created", "version:created")
    of_prompt = is_prompt(_tags(leaf).get(PROMPT_TAG)) if created else of_prompt
    news = () if "imported" in leaf["why"] else _news(leaf, loaded_by)
    for entity, action, data in (*news, *_requests(leaf, requests)):
        known = _PROMPT_TOPICS.get(entity, entity) if of_prompt else entity
        found.append(Announcement(Topic(known, action), _as_prompt(known, action, data)))
    return found


def _news(leaf: Mapping[str, Any], loaded_by: Sequence[Data]) -> Iterator[Told]:
    teller = _TELLERS.get(leaf["act"])
    if teller:
        yield from teller(leaf)
    if leaf["act"] in ENDINGS:
        yield _ended(leaf, loaded_by)
    yield from _stages(leaf)
    yield from _aliases(leaf)


def body_of(topic: Topic, at_ms: int, data: Data) -> str:
    """The body of a delivery, as MLflow lays it out; the time is the event's."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()
    entity, action = topic.entity.lower(), topic.action.lower()
    return json.dumps({"entity": entity, "action": action, "timestamp": at, "data": data})


# -- models and versions -------------------------------------------------------------------------


def _tags(leaf: Mapping[str, Any]) -> dict[str, str]:
    """The tags that a leaf sets; the value of one whose text was erased is empty."""
    keys = leaf["post"].get("tags", ())
    return {key: leaf["texts"].get(f"tag.{i}", "") for i, key in enumerate(keys)}


def _version(leaf: Mapping[str, Any]) -> Data:
    return {"name": leaf["obj"]["name"], "version": str(leaf["obj"]["version"])}


def _model_created(leaf: Mapping[str, Any]) -> Iterator[Told]:
    data = {
        "name": leaf["obj"]["name"],
        "tags": _tags(leaf),
        "description": leaf["texts"].get("description", ""),
    }
    yield "REGISTERED_MODEL", "CREATED", data


def _model_renamed(leaf: Mapping[str, Any]) -> Iterator[Told]:
    data = {"name": leaf["post"]["name"], "previous_name": leaf["pre"]["name"], **_by(leaf)}
    yield "REGISTERED_MODEL", "RENAMED", data


def _model_described(leaf: Mapping[str, Any]) -> Iterator[Told]:
    description = leaf["texts"].get("description", "")
    data = {"name": leaf["obj"]["name"], "description": description, **_by(leaf)}
    yield "REGISTERED_MODEL", "UPDATED", data


def _model_deleted(leaf: Mapping[str, Any]) -> Iterator[Told]:
    yield "REGISTERED_MODEL", "DELETED", {"name": leaf["obj"]["name"], **_by(leaf)}


def _model_tags(leaf: Mapping[str, Any]) -> Iterator[Told]:
    name = leaf["obj"]["name"]
    for key, value in _tags(leaf).items():
        yield "REGISTERED_MODEL_TAG", "SET", {"name": name, "key": key, "value": value}
    for key in leaf["post"].get("untagged", ()):
        yield "REGISTERED_MODEL_TAG", "DELETED", {"name": name, "key": key}


def _version_created(leaf: Mapping[str, Any]) -> Iterator[Told]:
    data = {
        **_version(leaf),
        "source": leaf["post"]["source"],
        "run_id": leaf["post"]["run"],
        "tags": _tags(leaf),
        "description": leaf["texts"].get("description") or None,
    }
    yield "MODEL_VERSION", "CREATED", data


def _version_described(leaf: Mapping[str, Any]) -> Iterator[Told]:
    description = leaf["texts"].get("description", "")
    yield "MODEL_VERSION", "UPDATED", {**_version(leaf), "description": description, **_by(leaf)}


def _version_deleted(leaf: Mapping[str, Any]) -> Iterator[Told]:
    yield "MODEL_VERSION", "DELETED", {**_version(leaf), **_by(leaf)}


def _version_tags(leaf: Mapping[str, Any]) -> Iterator[Told]:
    for key, value in _tags(leaf).items():
        yield "MODEL_VERSION_TAG", "SET", {**_version(leaf), "key": key, "value": value}
    for key in leaf["post"].get("untagged", ()):
        yield "MODEL_VERSION_TAG", "DELETED", {**_version(leaf), "key": key}


def _as_prompt(entity: str, action: str, data: Data) -> Data:
    """A prompt's payload lacks the tags that only mark it, and its text is no tag."""
    if action != "CREATED" or entity not in ("PROMPT", "PROMPT_VERSION"):
        return data
    tags = {k: v for k, v in data["tags"].items() if k not in (PROMPT_TAG, _PROMPT_TYPE_TAG)}
    if entity == "PROMPT":
        return {**data, "tags": tags}
    text = tags.pop(_PROMPT_TEXT_TAG, None)
    kept = {name: data[name] for name in ("name", "version", "description")}
    return {**kept, "template": text, "tags": tags}


# -- endings and loads ---------------------------------------------------------------------------

ENDINGS = frozenset(
    ("version:deprecated", "version:blocked", "version:retired", "version:reinstated")
)


def _ended(leaf: Mapping[str, Any], loaded_by: Sequence[Data]) -> Told:
    after, blocks_ms = leaf["post"], leaf["post"]["blocks_ms"]
    data = {
        **_version(leaf),
        "from_state": leaf["pre"]["state"],
        "replacement": _text(after["replacement"]),
        "blocks": None if blocks_ms is None else instant(blocks_ms),
        "reason": leaf["texts"].get("reason", ""),
        "loaded_by": list(loaded_by),
        **_by(leaf),
    }
    return "MODEL_VERSION", leaf["act"].partition(":")[2].upper(), data


def _loaded(leaf: Mapping[str, Any]) -> Iterator[Told]:
    texts = leaf["texts"]
    data = {
        **_version(leaf),
        "state": leaf["post"]["state"],
        "replacement": _text(leaf["post"]["replacement"]),
        "verified": leaf["actor"]["verified"],
        "client": texts.get("client", ""),
        "address": texts.get("address", ""),
        **_by(leaf),
    }
    yield "MODEL_VERSION", "LOADED", data


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


# -- stages, aliases, approvals ------------------------------------------------------------------


def _by(leaf: Mapping[str, Any]) -> Data:
    """Who did it: a claim, or None for someone without a name; and for whom, if for another account
    than the server's own."""
    texts = leaf["texts"]
    of = {"actor_account": texts["actor_account"]} if "actor_account" in texts else {}
    return {"actor": texts.get("actor"), **of}


def _stages(leaf: Mapping[str, Any]) -> Iterator[Told]:
    """Every version that a leaf moved, those that it displaced too."""
    after, subject = leaf["post"], leaf["obj"].get("version")
    epochs = {slot["slot"]: slot["epoch"] for slot in after.get("slots", ())}
    emergency = after.get("emergency", {}).get("id")
    for left, entered in zip(leaf["pre"].get("stages", ()), after.get("stages", ()), strict=True):
        if left["stage"] == entered["stage"]:
            continue
        yield (
            "MODEL_VERSION_STAGE",
            "CHANGED",
            {
                "name": leaf["obj"]["name"],
                "version": str(entered["version"]),
                "from_stage": left["stage"],
                "to_stage": entered["stage"],
                "epoch": epochs.get(f"stage:{entered['stage']}"),
                "digest": leaf["obj"]["manifest"] if entered["version"] == subject else None,
                "request": leaf["why"].get("request"),
                "emergency": emergency if entered["version"] == subject else None,
                "reason": leaf["texts"].get("reason", ""),
                **_by(leaf),
            },
        )


def _refused(leaf: Mapping[str, Any]) -> Iterator[Told]:
    data = {
        **_version(leaf),
        "from_stage": leaf["pre"]["stage"],
        "target": leaf["post"]["target"],
        "gates": leaf["why"]["gates"],
        "reason": leaf["texts"].get("reason", ""),
        **_by(leaf),
    }
    yield "MODEL_VERSION_STAGE", "REFUSED", data


def _rolled_back(leaf: Mapping[str, Any]) -> Iterator[Told]:
    number = leaf["obj"]["version"]
    stages = (m["stage"] for m in leaf["post"]["stages"] if m["version"] == number)
    data = {
        **_version(leaf),
        "stage": next(stages, None),
        "left_version": str(leaf["why"]["rolled_back"]),
        "reason": leaf["texts"].get("reason", ""),
        **_by(leaf),
    }
    yield "MODEL_VERSION_STAGE", "ROLLED_BACK", data


def _aliases(leaf: Mapping[str, Any]) -> Iterator[Told]:
    for slot in leaf["post"].get("slots", ()):
        kind, _, alias = slot["slot"].partition(":")
        if kind != "alias":
            continue
        data = {"name": leaf["obj"]["name"], "alias": alias}
        if slot["version"] is None:
            yield "MODEL_VERSION_ALIAS", "DELETED", data
        else:
            yield "MODEL_VERSION_ALIAS", "CREATED", {**data, "version": str(slot["version"])}


_ENDS = {
    "pending": "OPENED",
    "approved": "APPROVED",
    "rejected": "REJECTED",
    "changes_requested": "SENT_BACK",
    "withdrawn": "WITHDRAWN",
    "expired": "EXPIRED",
    "void": "VOIDED",
}


def requests_in(leaf: Mapping[str, Any]) -> list[int]:
    """The ids of the approval requests that a leaf opens, closes or reminds of."""
    closed = [request["id"] for request in leaf["post"].get("requests", ())]
    return [*closed, *leaf["post"].get("reminded", ())]


def _requests(leaf: Mapping[str, Any], requests: Mapping[int, Data]) -> Iterator[Told]:
    for request in leaf["post"].get("requests", ()):
        yield "APPROVAL_REQUEST", _ENDS[request["status"]], {**requests[request["id"]], **_by(leaf)}
    for request_id in leaf["post"].get("reminded", ()):
        yield "APPROVAL_REQUEST", "REMINDED", {**requests[request_id], **_by(leaf)}


def _vote(leaf: Mapping[str, Any]) -> Iterator[Told]:
    is_cast = leaf["act"] == "approval:vote:cast"
    data = {
        "request": leaf["obj"]["request"],
        **_version(leaf),
        "verdict": leaf["post"]["verdict"],
        "comment": leaf["texts"].get("comment", ""),
        **({} if is_cast else {"denial": leaf["texts"].get("denial", "")}),
        **_by(leaf),
    }
    yield "APPROVAL_VOTE", "CAST" if is_cast else "DENIED", data


def _commented(leaf: Mapping[str, Any]) -> Iterator[Told]:
    text = leaf["texts"].get("comment", "")
    data = {"request": leaf["obj"]["request"], **_version(leaf), "comment": text, **_by(leaf)}
    yield "APPROVAL_COMMENT", "ADDED", data


def _emergency(leaf: Mapping[str, Any]) -> Iterator[Told]:
    told = leaf["post"]["emergency"]
    action = {"done": "REVIEWED", "overdue": "OVERDUE"}.get(leaf["act"].rsplit(":")[-1], "OPENED")
    words = leaf["texts"].get("reason", leaf["texts"].get("comment", ""))
    data = {"emergency": told["id"], **_version(leaf), "text": words, **_by(leaf)}
    extra = {"stage": told["target"]} if "target" in told else {"status": told["status"]}
    yield "EMERGENCY", action, {**data, **extra}


def _forked(leaf: Mapping[str, Any]) -> Iterator[Told]:
    data = {
        "origin": leaf["post"]["name"],
        "vkey": leaf["post"]["vkey"],
        "previous": leaf["pre"]["origin"],
        "reason": leaf["texts"].get("reason", ""),
        **_by(leaf),
    }
    yield "JOURNAL", "FORKED", data


# -- who may do what -----------------------------------------------------------------------------


def _policy(leaf: Mapping[str, Any]) -> Iterator[Told]:
    data = {
        "revision": leaf["post"]["revision"],
        "digest": leaf["post"]["policy"],
        "previous": leaf["pre"]["policy"],
        **_by(leaf),
    }
    yield "POLICY", "APPLIED", data


def _account(leaf: Mapping[str, Any]) -> Iterator[Told]:
    kind = {"kind": leaf["post"]["kind"]} if "kind" in leaf["post"] else {}
    data = {"id": leaf["obj"]["account"], "account": leaf.get("account"), **kind, **_by(leaf)}
    yield "ACCOUNT", leaf["act"].removeprefix("account:").replace(":", "_").upper(), data
    yield from _revoked(leaf)


def _token(leaf: Mapping[str, Any]) -> Iterator[Told]:
    data = {
        "token": leaf["obj"]["token"],
        "account": leaf.get("account"),
        "kind": leaf["post"]["kind"],
        "label": leaf["texts"].get("label", ""),
        "expires": instant(leaf["post"]["expires_ms"]),
        **_by(leaf),
    }
    yield "TOKEN", "CREATED", data


def _revoked(leaf: Mapping[str, Any]) -> Iterator[Told]:
    for token in leaf["post"].get("revoked", ()):
        yield "TOKEN", "REVOKED", {"token": token, "account": leaf.get("account"), **_by(leaf)}


def _grant(leaf: Mapping[str, Any]) -> Iterator[Told]:
    facts = {name: leaf["post"][name] for name in ("role", "scope")}
    action = "ADDED" if leaf["act"] == "grant:added" else "REMOVED"
    yield "GRANT", action, {"account": leaf.get("account"), **facts, **_by(leaf)}


_TELLERS: dict[str, Callable[[Mapping[str, Any]], Iterator[Told]]] = {
    "model:created": _model_created,
    "model:renamed": _model_renamed,
    "model:described": _model_described,
    "model:deleted": _model_deleted,
    "model:tag:set": _model_tags,
    "model:tag:deleted": _model_tags,
    "version:created": _version_created,
    "version:described": _version_described,
    "version:deleted": _version_deleted,
    "version:loaded": _loaded,
    "version:semver:raised": _version_tags,
    "version:tag:set": _version_tags,
    "version:tag:deleted": _version_tags,
    "version:stage:refused": _refused,
    "version:stage:rolled-back": _rolled_back,
    "version:stage:forced": _emergency,
    "emergency:review:done": _emergency,
    "emergency:review:overdue": _emergency,
    "approval:comment:added": _commented,
    "approval:vote:cast": _vote,
    "approval:vote:denied": _vote,
    "journal:origin:forked": _forked,
    "policy:revision:applied": _policy,
    "account:created": _account,
    "account:disabled": _account,
    "account:enabled": _account,
    "account:deleted": _account,
    "account:password:set": _account,
    "token:created": _token,
    "token:revoked": _revoked,
    "grant:added": _grant,
    "grant:removed": _grant,
}
