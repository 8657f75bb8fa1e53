"""What a test call sends: an example of the topic's payload, MLflow's own for its topics."""

from typing import Any

from modelkeep.domain.webhooks import Topic

_MODEL = {"name": "example_model"}
_VERSION = {**_MODEL, "version": "1"}
_PROMPT = {"name": "example_prompt"}
_PROMPT_VERSION = {**_PROMPT, "version": "1"}
_KEY = {"key": "example_key"}
_TAG = {**_KEY, "value": "example_value"}
_TAGS = {"tags": {"example_key": "example_value"}}
_ALIAS = {"alias": "example_alias"}
_BY = {"actor": "example_user"}
_TEXT = {"text": "An example reason", **_BY}
_WHY = {"reason": "An example reason", **_BY}
_REQUEST = {
    "request": 1,
    **_VERSION,
    "from_stage": "Staging",
    "to_stage": "Production",
    "requested_by": "example_user",
    "reason": "An example reason",
    "closing": "",
    "expires": "2026-01-15T00:00:00.000Z",
    **_BY,
}
_VOTE = {"request": 1, **_VERSION, "verdict": "approve", "comment": "An example comment", **_BY}
_ACCOUNT = {"id": 1, "account": "example_user"}
_TOKEN = {"token": "AbCdEfGhIjKl", "account": "example_user"}
_GRANT = {"account": "example_user", "role": "viewer", "scope": "prefix:fraud-", **_BY}
_ENDED = {
    **_VERSION,
    "from_state": "active",
    "replacement": "2",
    "blocks": "2030-01-01T00:00:00.000Z",
    **_WHY,
    "loaded_by": [
        {
            "name": "bob",
            "verified": True,
            "client": "mlflow-python-client/3.17.2",
            "address": "",
            "loads": 12,
            "last": "2029-11-20T10:00:00.000Z",
        }
    ],
}

_EXAMPLES: dict[str, dict[str, Any]] = {
    "REGISTERED_MODEL/CREATED": {**_MODEL, **_TAGS, "description": "An example registered model"},
    "REGISTERED_MODEL/UPDATED": {**_MODEL, "description": "An example registered model", **_BY},
    "REGISTERED_MODEL/RENAMED": {**_MODEL, "previous_name": "old_example_model", **_BY},
    "REGISTERED_MODEL/DELETED": {**_MODEL, **_BY},
    "REGISTERED_MODEL_TAG/SET": {**_MODEL, **_TAG},
    "REGISTERED_MODEL_TAG/DELETED": {**_MODEL, **_KEY},
    "MODEL_VERSION/CREATED": {
        **_VERSION,
        "source": "models:/123",
        "run_id": "abcd1234abcd5678",
        **_TAGS,
        "description": "An example model version",
    },
    "MODEL_VERSION/DEPRECATED": _ENDED,
    "MODEL_VERSION/BLOCKED": {**_ENDED, "from_state": "deprecated", "blocks": None},
    "MODEL_VERSION/RETIRED": {**_ENDED, "from_state": "blocked", "blocks": None},
    "MODEL_VERSION/REINSTATED": {
        **_ENDED,
        "from_state": "deprecated",
        "replacement": None,
        "blocks": None,
    },
    "MODEL_VERSION/LOADED": {
        **_VERSION,
        "state": "deprecated",
        "replacement": "2",
        "verified": True,
        "client": "mlflow-python-client/3.17.2",
        "address": "",
        **_BY,
    },
    "MODEL_VERSION/UPDATED": {**_VERSION, "description": "An example model version", **_BY},
    "MODEL_VERSION/DELETED": {**_VERSION, **_BY},
    "MODEL_VERSION_TAG/SET": {**_VERSION, **_TAG},
    "MODEL_VERSION_TAG/DELETED": {**_VERSION, **_KEY},
    "MODEL_VERSION_ALIAS/CREATED": {**_MODEL, **_ALIAS, "version": "1"},
    "MODEL_VERSION_ALIAS/DELETED": {**_MODEL, **_ALIAS},
    "MODEL_VERSION_STAGE/CHANGED": {
        **_VERSION,
        "from_stage": "Staging",
        "to_stage": "Production",
        "epoch": 1,
        "digest": None,
        "request": 1,
        "emergency": None,
        **_WHY,
    },
    "MODEL_VERSION_STAGE/REFUSED": {
        **_VERSION,
        "from_stage": "None",
        "target": "Production",
        "gates": [{"gate": "lifecycle", "outcome": "failed"}],
        **_WHY,
    },
    "MODEL_VERSION_STAGE/ROLLED_BACK": {
        **_VERSION,
        "stage": "Production",
        "left_version": "2",
        **_WHY,
    },
    "PROMPT/CREATED": {**_PROMPT, **_TAGS, "description": "An example prompt"},
    "PROMPT/UPDATED": {**_PROMPT, "description": "An example prompt", **_BY},
    "PROMPT/RENAMED": {**_PROMPT, "previous_name": "old_example_prompt", **_BY},
    "PROMPT/DELETED": {**_PROMPT, **_BY},
    "PROMPT_TAG/SET": {**_PROMPT, **_TAG},
    "PROMPT_TAG/DELETED": {**_PROMPT, **_KEY},
    "PROMPT_VERSION/CREATED": {
        **_PROMPT_VERSION,
        "template": "Hello {{name}}!",
        **_TAGS,
        "description": "An example prompt version",
    },
    "PROMPT_VERSION/UPDATED": {
        **_PROMPT_VERSION,
        "description": "An example prompt version",
        **_BY,
    },
    "PROMPT_VERSION/DELETED": {**_PROMPT_VERSION, **_BY},
    "PROMPT_VERSION_TAG/SET": {**_PROMPT_VERSION, **_TAG},
    "PROMPT_VERSION_TAG/DELETED": {**_PROMPT_VERSION, **_KEY},
    "PROMPT_ALIAS/CREATED": {**_PROMPT, **_ALIAS, "version": "1"},
    "PROMPT_ALIAS/DELETED": {**_PROMPT, **_ALIAS},
    "APPROVAL_REQUEST/OPENED": _REQUEST,
    "APPROVAL_REQUEST/APPROVED": {**_REQUEST, "closing": "Approved, and carried out."},
    "APPROVAL_REQUEST/REJECTED": {**_REQUEST, "closing": "Rejected: an example comment"},
    "APPROVAL_REQUEST/SENT_BACK": {**_REQUEST, "closing": "Sent back: an example comment"},
    "APPROVAL_REQUEST/WITHDRAWN": {**_REQUEST, "closing": "Withdrawn."},
    "APPROVAL_REQUEST/EXPIRED": {**_REQUEST, "closing": "Nobody decided in time."},
    "APPROVAL_REQUEST/REMINDED": _REQUEST,
    "APPROVAL_REQUEST/VOIDED": {**_REQUEST, "closing": "The version has moved since."},
    "APPROVAL_COMMENT/ADDED": {"request": 1, **_VERSION, "comment": "An example comment", **_BY},
    "EMERGENCY/OPENED": {"emergency": 1, **_VERSION, "stage": "Production", **_TEXT},
    "EMERGENCY/OVERDUE": {"emergency": 1, **_VERSION, "status": "overdue", "text": "", **_BY},
    "EMERGENCY/REVIEWED": {"emergency": 1, **_VERSION, "status": "accepted", **_TEXT},
    "APPROVAL_VOTE/CAST": _VOTE,
    "APPROVAL_VOTE/DENIED": {**_VOTE, "denial": "An example reason"},
    "ACCOUNT/CREATED": {**_ACCOUNT, "kind": "user", **_BY},
    "ACCOUNT/DELETED": {**_ACCOUNT, "account": "deleted-1", **_BY},
    "ACCOUNT/DISABLED": {**_ACCOUNT, **_BY},
    "ACCOUNT/ENABLED": {**_ACCOUNT, **_BY},
    "ACCOUNT/PASSWORD_SET": {**_ACCOUNT, **_BY},
    "TOKEN/CREATED": {
        **_TOKEN,
        "kind": "personal",
        "label": "notebook",
        "expires": "2026-01-15T00:00:00.000Z",
        **_BY,
    },
    "TOKEN/REVOKED": {**_TOKEN, **_BY},
    "GRANT/ADDED": _GRANT,
    "GRANT/REMOVED": _GRANT,
    "POLICY/APPLIED": {
        "revision": 2,
        "digest": "sha256:" + 32 * "1f",
        "previous": "sha256:" + 32 * "0e",
        **_BY,
    },
    "JOURNAL/FORKED": {
        "origin": "log.example/1/2",
        "vkey": "log.example/1/2+6015ca0c+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "previous": "log.example/1",
        "reason": "An example reason",
        "actor": "ann",
    },
    # Budgets are of MLflow's gateway, which modelkeep has not: it may be subscribed to and tested.
    "BUDGET_POLICY/EXCEEDED": {
        "budget_policy_id": "bp-abc123",
        "budget_unit": "USD",
        "budget_amount": 100.0,
        "current_spend": 105.5,
        "duration_unit": "MONTHS",
        "duration_value": 1,
        "target_scope": "ENDPOINT",
        "workspace": "default",
        "target_value": "ep-abc123",
        "window_start": 1_704_067_200_000,
    },
}


def example(topic: Topic) -> dict[str, Any]:
    """The `data` of a test call for a topic."""
    return _EXAMPLES[str(topic)]
