"""What each of MLflow's calls and file routes needs: see `protocols.rules`.

Experiments, runs and logged models belong to no model: whoever may read, or write, some model may
read, or write, them. Their bytes take a role that may download.
"""

from typing import Any

from modelkeep.domain.access import Verb
from modelkeep.protocols.http import Scope, query_of
from modelkeep.protocols.mlflow.wire import Rpc
from modelkeep.protocols.rules import BEARER, KNOWN, Rule, everywhere, on, somewhere
from modelkeep.services import permits
from modelkeep.services.permits import Need

READS, WRITES = somewhere(Verb.READ), somewhere(Verb.WRITE)
DOWNLOADS = somewhere(Verb.DOWNLOAD)
_ADMINISTERS = everywhere(Verb.ADMIN)
_READS_IT, _WRITES_IT, _PROMOTES_IT = on(Verb.READ), on(Verb.WRITE), on(Verb.PROMOTE)


def _create(call: Any) -> None:
    permits.admit_new(call.name, {tag.key: tag.value for tag in call.tags})


def _rename(call: Any) -> None:
    renamed = Need(Verb.WRITE, model=call.name, as_name=call.new_name)
    permits.admit(Need(Verb.WRITE, model=call.name), renamed)


def _tag(call: Any) -> None:
    permits.admit_tag(call.name, call.key, call.value)


def _untag(call: Any) -> None:
    permits.admit_tag(call.name, call.key, None)


_OF_CALLS: dict[tuple[str, str], Rule] = {
    ("POST", "registered-models/create"): Rule(_create),
    ("GET", "registered-models/get"): _READS_IT,
    ("POST", "registered-models/rename"): Rule(_rename),
    ("PATCH", "registered-models/update"): _WRITES_IT,
    ("DELETE", "registered-models/delete"): _WRITES_IT,
    ("GET", "registered-models/search"): KNOWN,
    ("GET", "registered-models/get-latest-versions"): _READS_IT,
    ("POST", "registered-models/get-latest-versions"): _READS_IT,
    ("POST", "registered-models/set-tag"): Rule(_tag),
    ("DELETE", "registered-models/delete-tag"): Rule(_untag),
    ("POST", "registered-models/alias"): _PROMOTES_IT,
    ("GET", "registered-models/alias"): _READS_IT,
    ("DELETE", "registered-models/alias"): _PROMOTES_IT,
    ("POST", "model-versions/create"): _WRITES_IT,
    ("GET", "model-versions/get"): _READS_IT,
    ("PATCH", "model-versions/update"): _WRITES_IT,
    ("DELETE", "model-versions/delete"): _WRITES_IT,
    ("GET", "model-versions/search"): KNOWN,
    ("GET", "model-versions/get-download-uri"): _READS_IT,
    ("POST", "model-versions/set-tag"): _WRITES_IT,
    ("DELETE", "model-versions/delete-tag"): _WRITES_IT,
    ("POST", "model-versions/transition-stage"): _PROMOTES_IT,
    ("POST", "experiments/create"): WRITES,
    ("GET", "experiments/get"): READS,
    ("GET", "experiments/get-by-name"): READS,
    ("GET", "experiments/search"): READS,
    ("POST", "experiments/search"): READS,
    ("POST", "experiments/search-datasets"): READS,
    ("POST", "experiments/update"): WRITES,
    ("POST", "experiments/delete"): WRITES,
    ("POST", "experiments/restore"): WRITES,
    ("POST", "experiments/set-experiment-tag"): WRITES,
    ("POST", "experiments/delete-experiment-tag"): WRITES,
    ("POST", "runs/create"): WRITES,
    ("GET", "runs/get"): READS,
    ("POST", "runs/update"): WRITES,
    ("POST", "runs/delete"): WRITES,
    ("POST", "runs/restore"): WRITES,
    ("POST", "runs/search"): READS,
    ("POST", "runs/log-metric"): WRITES,
    ("POST", "runs/log-parameter"): WRITES,
    ("POST", "runs/set-tag"): WRITES,
    ("POST", "runs/delete-tag"): WRITES,
    ("POST", "runs/log-batch"): WRITES,
    ("POST", "runs/log-inputs"): WRITES,
    ("POST", "runs/outputs"): WRITES,
    ("POST", "runs/log-model"): WRITES,
    ("GET", "metrics/get-history"): READS,
    ("GET", "metrics/get-history-bulk"): READS,
    ("GET", "metrics/get-history-bulk-interval"): READS,
    ("POST", "logged-models"): WRITES,
    ("POST", "logged-models/search"): READS,
    ("GET", "logged-models/{model_id}"): READS,
    ("PATCH", "logged-models/{model_id}"): WRITES,
    ("DELETE", "logged-models/{model_id}"): WRITES,
    ("PATCH", "logged-models/{model_id}/tags"): WRITES,
    ("DELETE", "logged-models/{model_id}/tags/{+tag_key}"): WRITES,
    ("POST", "logged-models/{model_id}/params"): WRITES,
    ("GET", "logged-models/{model_id}/artifacts/directories"): READS,
    ("GET", "artifacts/list"): READS,
    ("POST", "webhooks"): _ADMINISTERS,
    ("GET", "webhooks"): _ADMINISTERS,
    ("GET", "webhooks/{webhook_id}"): _ADMINISTERS,
    ("PATCH", "webhooks/{webhook_id}"): _ADMINISTERS,
    ("DELETE", "webhooks/{webhook_id}"): _ADMINISTERS,
    ("POST", "webhooks/{webhook_id}/test"): _ADMINISTERS,
}


def of_call(rpc: Rpc) -> Rule:
    """The rule of a call, which all its methods share. Raises KeyError for one without."""
    return _OF_CALLS[rpc.methods[0], rpc.path]


# -- files: the call is the request itself --------------------------------------------------------


_STEP_SEGMENT = 5  # the one behind `/api/2.0/mlflow-artifacts/mpu`


def _file(scope: Scope) -> None:
    """The artifact store: without a path it lists."""
    if scope["method"] in ("PUT", "DELETE"):
        WRITES.admit(scope)
    elif not any(scope["path"].split("/")[_STEP_SEGMENT:]):
        READS.admit(scope)
    else:
        DOWNLOADS.admit(scope)


def _file_of_version(scope: Scope) -> None:
    name = dict(query_of(scope)).get("name", "")
    permits.admit(Need(Verb.DOWNLOAD, model=name))


def _multipart(scope: Scope) -> None:
    """To create, complete and abort an upload; a part's address is a permission."""
    step = "".join(scope["path"].split("/")[_STEP_SEGMENT : _STEP_SEGMENT + 1])
    (BEARER if step == "part" else WRITES).admit(scope)


FILE, FILE_OF_VERSION, MULTIPART = Rule(_file), Rule(_file_of_version), Rule(_multipart)
