"""Examples for the API's description: one story, told wherever its things come up.

An example is made from a schema, so it can neither lack a field nor have one too many. `_WORDS` has
what a field of a name holds in the story; any other field has the plainest value of its type.
"""

from collections.abc import Mapping
from typing import Any

_DIGEST = "sha256:1f0c2e3b4a5968778695a4b3c2d1e0f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
_HASH = _DIGEST.removeprefix("sha256:")
_RUN = "4f2a9c61d0be4c7f9a3e5b7d1c2f4e6a"

_WORDS: Mapping[str, Any] = {
    "act": "version:stage:changed",
    "action": "version:stage:changed",
    "actor": {"kind": "user", "verified": True},
    "alias": "champion",
    "aliases": ["champion"],
    "applied": "2026-11-19T16:02:11.000Z",
    "at": "2026-11-20T10:00:00.000Z",
    "author": "ann",
    "authors": ["ann"],
    "best": [3],
    "before": "1.3.0",
    "body": '{"entity": "model_version_stage", "action": "changed"}',
    "closing": "",
    "code": "refused",
    "comment": "looked at the slices",
    "context": "training",
    "created": "2026-11-18T09:30:00.000Z",
    "description": "Gradient boosting on the autumn data.",
    "detail": "churn/3 may not enter Production: metrics: accuracy is 0.79, below 0.85.",
    "digest": _DIGEST,
    "document": "card",
    "due": "2026-11-21T09:58:12.114Z",
    "epoch": 4,
    "event": "MODEL_VERSION_STAGE/CHANGED",
    "events": ["MODEL_VERSION_STAGE/CHANGED"],
    "evidence": _DIGEST,
    "expires": "2026-11-27T09:31:00.000Z",
    "git_commit": "9f3c1d2",
    "hash": _HASH,
    "id": "01JD4R9Z8Q2N5W7X0C3V6B1M4K",
    "index": 41,
    "label": "nightly training",
    "account_number": "123456789012",
    "least": "1.4.0",
    "manifest": _DIGEST,
    "message": "churn/3 is in Production",
    "model": "churn",
    "name": "churn",
    "name_then": "churn",
    "new_name": "churn-eu",
    "origin": "http://mlflow.example:5000",
    "folder": "0/4f2a9c61d0be4c7f9a3e5b7d1c2f4e6a/artifacts",
    "lifecycle": "active",
    "model_id": "m-1c9e4f60a2b84d7a9c5e3f1b2d4a6c8e",
    "newest": 4,
    "obj": {"type": "version", "name": "churn", "version": 3},
    "opened": "2026-11-20T09:58:12.114Z",
    "opened_by": "rob",
    "owner": "ann",
    "post": {"stages": [{"version": 3, "stage": "Production"}]},
    "pre": {"stages": [{"version": 3, "stage": "Staging"}]},
    "project": "default",
    "note": "a gate of its own",
    "path": "model/MLmodel",
    "placed": "2026-11-19T16:02:11.000Z",
    "placed_by": "bob",
    "policy": _DIGEST,
    "production": 3,
    "reason": "two points better on the new clinic's data",
    "request_id": "87f72e5092aac3bf",
    "req": "87f72e5092aac3bf",
    "requested_by": "rob",
    "revision": 2,
    "result": "moved",
    "run": _RUN,
    "run_id": _RUN,
    "run_ids": [_RUN],
    "replacement": 4,
    "secret": "a-long-secret-of-yours",
    "scope": "model:churn",
    "semver": "1.4.0",
    "sentence": "is 1.4.0, after 1.3.0: a new optional input",
    "served": [],
    "sha256": _HASH,
    "since": "2026-11-20T09:58:12.114Z",
    "response": "",
    "size_bytes": 4096,
    "slot": "stage:Production",
    "source": f"runs:/{_RUN}/model",
    "stage": "Production",
    "error": "",
    "state": "DELIVERED",
    "subject": _DIGEST,
    "t": "2026-11-20T09:58:12.114Z",
    "texts": {"actor": "rob", "reason": "two points better on the new clinic's data"},
    "tags": {"team": "risk"},
    "target": "Production",
    "time": "2026-11-20T10:00",
    "title": "Refused",
    "type": "/api/v1/problems/refused",
    "updated": "2026-11-20T09:58:12.114Z",
    "url": "https://hooks.example/modelkeep",
    "value": 0.91,
    "vkey": "modelkeep.example/journal+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "voter": "bob",
    "version": 3,
    "user": "ann",
    "versions": 4,
    "v": 1,
    "why": {"policy": _DIGEST},
    "webhook_id": "0b5c2a7e4f914c0c8f3a",
    "which": "3",
}
# What is no JSON.
TEXTS: Mapping[str, str] = {
    "text/plain": "modelkeep.example/journal\n42\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— modelkeep.example/journal Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5…\n",
    "application/x-ndjson": '{"kind": "head", "size": 0, "peaks": ""}\n{"kind": "end"}\n',
}
# Where a name means something else than in the rest of the story.
_ELSEWHERE: Mapping[tuple[str, str], Any] = {
    ("PolicyFile", "source"): "model_registry:\n  stage_transitions:\n    None -> Production:\n"
    "      required_tags: [tested]\n",
    ("VerdictView", "gate"): "metrics",
    ("VerdictView", "outcome"): "passed",
    ("VerdictView", "message"): "accuracy is 0.91, required >= 0.85",
    ("DecisionView", "outcome"): "passed",
    ("DecisionView", "policy_digest"): _DIGEST,
    ("DecisionView", "evidence_digest"): _DIGEST,
    ("PolicyView", "source"): "model_registry: {}",
    ("RequestDetail", "source"): "Staging",
    ("RequestDetail", "status"): "pending",
    ("RequestDetail", "closed"): None,
    ("RequestDetail", "votes"): [],
    ("AppliedView", "findings"): [],
    ("AppliedView", "warnings"): [],
    ("BarredView", "name"): "ann",
    ("BarredView", "why"): "is an author of this version",
    ("AppliedView", "voided_requests"): [],
    ("Kind", "status"): 403,
    ("NewWebhook", "name"): "releases",
    ("RequestView", "source"): "Staging",
    ("RequestView", "status"): "pending",
    ("RequestView", "closed"): None,
    ("RunView", "status"): "FINISHED",
    ("SectionView", "path"): "stage_transitions",
    ("VersionEntry", "claim"): None,
    ("VersionEntry", "status"): "verified",
    ("NewAccount", "name"): "ann",
    ("AccountView", "name"): "ann",
    ("AccountView", "owner"): "",
    ("Credentials", "name"): "ann",
    ("CallerView", "name"): "ann",
    ("VersionEntry", "state"): "active",
    ("VersionEntry", "ending"): None,
    ("StateChange", "state"): "deprecated",
    ("StateChange", "reason"): "trained on the data of the old clinics",
    ("StateChange", "blocks"): "2027-01-31T00:00:00Z",
    ("StateChange", "was"): "active",
    ("LoadView", "name"): "bob",
    ("LoadView", "kind"): "user",
    ("LoadView", "client"): "mlflow-python-client/3.17.2",
    ("LoadView", "address"): "",
    ("LoadView", "loads"): 12,
    ("LoadView", "days"): 5,
    ("LoadView", "last"): "2026-11-20T09:58:12.114Z",
    ("LoggedModelView", "status"): "READY",
    ("DeliveryView", "status"): 204,
    ("TestView", "status"): 204,
    ("WebhookView", "reason"): "",
    ("WebhookView", "status"): "ACTIVE",
    ("StayView", "until"): None,
    ("WebhookView", "name"): "releases",
    ("Problem", "status"): 403,
}

Schema = Mapping[str, Any]


def example_of(schema: Schema, components: Mapping[str, Schema], name: str = "") -> Any:
    """A value of a schema; `name` is of the field that holds it, or of the whole."""
    if "$ref" in schema:
        target = schema["$ref"].rpartition("/")[2]
        return example_of(components[target], components, target)
    if schema.get("properties"):
        owner = schema.get("title", "")
        return {
            field: _ELSEWHERE[owner, field]
            if (owner, field) in _ELSEWHERE
            else _field(field, part, components)
            for field, part in schema["properties"].items()
            if "default" not in part or _WORDS.get(field) is not None
        }
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            return example_of(choice, components, name)
    return _plain(schema, components, name)


def _field(name: str, schema: Schema, components: Mapping[str, Schema]) -> Any:
    word = _WORDS.get(name)
    if word is not None and _fits(word, schema):
        return word
    return example_of(schema, components, name)


def _fits(word: Any, schema: Schema) -> bool:
    kinds = {part.get("type") for part in schema.get("anyOf", (schema,))}
    kind = {str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return kind[type(word)] in kinds and not ({"enum", "pattern"} & set(schema))


def _plain(schema: Schema, components: Mapping[str, Schema], name: str) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("pattern") == "^(ACTIVE|DISABLED)$":
        return "ACTIVE"
    match schema.get("type"):
        case "array" if "prefixItems" in schema:
            return [example_of(part, components) for part in schema["prefixItems"]]
        case "array" if schema.get("items"):
            return [_field(name, schema["items"], components)]
        case "array":
            return []
        case "object":
            return {}
        case "integer":
            return max(1, int(schema.get("minimum", 1)))
        case "number":
            return 0.91
        case "boolean":
            return True
        case "string":
            return schema.get("default") or name
        case _:
            return schema.get("default")
