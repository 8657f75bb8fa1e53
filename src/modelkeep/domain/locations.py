"""Where a client may say that artifacts live. The server opens none of these places.

An `mlflow-artifacts:/…` location is a folder of the server's own, held in rows, and so is a
relative path, which MLflow takes for a folder beside its server. The address of an object store is
kept as a label for clients that hold its credentials. Everything else is refused: absolute paths
and `file:` because they would name the server's disk, hosts because somebody might be led to
connect to them.
"""

import re

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.names import check_location, check_path

PROXIED = "mlflow-artifacts:/"
RESERVED = "modelkeep"  # the server's own folder, where frozen versions are addressed
_OBJECT_STORES = "s3 s3a s3n gs gcs wasb wasbs abfs abfss adl oss obs cos b2 r2 oci"
OBJECT_STORES = frozenset(_OBJECT_STORES.split())
# What a version may have for a source as well, and nobody here can read either.
LABELS = OBJECT_STORES | {"azureml", "dbfs", "docker", "hf", "uc", "viewfs"}

_ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.\-]+)://(?P<bucket>[^/]+)(/.*)?", re.IGNORECASE)
_RELATIVE = re.compile(r"[^:/~$.][^:]*")
_ASIDES = re.compile(r"[?#;]|%(25)*(3f|23|3b)", re.IGNORECASE)  # in any number of encodings


def artifact_location(location: str) -> str:
    """`location` as it is kept: a folder of ours, or the address of an object store as it stands.

    Raises InvalidInput.
    """
    check_location(location, "artifact_location")
    if _ASIDES.search(location):
        raise InvalidInput("'artifact_location' URL can't include fragments or params.")
    if location.startswith(PROXIED):
        _check_folder(location[len(PROXIED) :])
        return location
    if _RELATIVE.fullmatch(location):
        _check_folder(location)
        return PROXIED + location
    address = _ADDRESS.fullmatch(location)
    if address is None or address["scheme"].lower() not in LABELS:
        raise InvalidInput(
            f"Invalid artifact_location: '{location}'. It may be a folder of this server "
            f"('{PROXIED}<path>') or the address of an object store, such as 's3://bucket/path'; "
            "local paths and other hosts are refused."
        )
    return location


def _check_folder(path: str) -> None:
    check_path(path)
    if path.split("/", 1)[0].casefold() == RESERVED:
        raise InvalidInput(
            f"Invalid artifact_location: '{PROXIED}{path}'. '{RESERVED}/' is the server's own."
        )


def beneath(location: str, *parts: str) -> str:
    """The location of something under another."""
    return "/".join((location.rstrip("/"), *parts))
