"""Where a client may say that artifacts live. The server opens none of these places.

An `mlflow-artifacts:/…` location is a folder of the server's own, held in rows, and so is a
relative path, which MLflow takes for a folder beside its server. The address of an object store is
kept as a label for clients that hold its credentials, and an absolute path for those that share a
disk, unless it names a system's own folders or this server's. Everything else is refused: `file:`
because of how many ways there are to write it, hosts because somebody might be led to connect to
them. The source of a version may also have a scheme that nobody here knows, for
clients' plug-ins bring their own.
"""

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.names import check_location, check_path

PROXIED = "mlflow-artifacts:/"
UPLOADS = "uploads"  # the folder of what was brought to be registered
RESERVED = "modelkeep"  # the server's own folder, where frozen versions are addressed
_OBJECT_STORES = "s3 s3a s3n gs gcs wasb wasbs abfs abfss adl oss obs cos b2 r2 oci"
OBJECT_STORES = frozenset(_OBJECT_STORES.split())
# What a version may have for a source as well, and nobody here can read either.
LABELS = OBJECT_STORES | {"azureml", "dbfs", "docker", "hf", "uc", "viewfs"}

# Whom MLflow's clients would connect to for an artifact (3.17.2, `host_policy.py`), but for the
# object stores among them.
_HOSTS = frozenset(("ftp", "hdfs", "http", "https", "sftp", "viewfs"))
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_RELATIVE = (
    "If supplying a source as an http, https, local file path, ftp, objectstore, or "
    "mlflow-artifacts uri, an absolute path must be provided without relative path references "
    "present. Please provide an absolute path."
)
_LOCAL = (
    "To use a local path as a model version source, the run_id request parameter has to be "
    "specified and the local path has to be contained within the artifact directory of the run "
    "specified by the run_id."
)

_ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.\-]+)://(?P<bucket>[^/]+)(/.*)?", re.IGNORECASE)
# Where no experiment may send what a client writes, be it as root on its own machine.
_SYSTEM_FOLDERS = "bin boot dev etc lib lib32 lib64 proc root run sbin sys usr"
_SYSTEM = frozenset(_SYSTEM_FOLDERS.split())
_FOLDER = re.compile(r"[^:/~$.][^:]*")
_ASIDES = re.compile(r"[?#;]|%(25)*(3f|23|3b)", re.IGNORECASE)  # in any number of encodings


def artifact_location(location: str, closed: Collection[str] = ()) -> str:
    """`location` as it is kept: a folder of ours, or else as it stands, as a label.

    `closed` are this server's own folders, by their absolute paths, which no label may name.
    Raises InvalidInput.
    """
    check_location(location, "artifact_location")
    if _ASIDES.search(location):
        raise InvalidInput("'artifact_location' URL can't include fragments or params.")
    if location.startswith(PROXIED):
        _check_folder(location[len(PROXIED) :])
        return location
    if _FOLDER.fullmatch(location):
        _check_folder(location)
        return PROXIED + location
    if is_local(location):
        return _open_folder(location, closed)
    address = _ADDRESS.fullmatch(location)
    if address is None or address["scheme"].lower() not in LABELS:
        raise InvalidInput(
            f"Invalid artifact_location: '{location}'. It may be a folder of this server "
            f"('{PROXIED}<path>'), the address of an object store, such as 's3://bucket/path', or "
            "an absolute path that your clients share; 'file:' and other hosts are refused."
        )
    return location


def is_local(location: str) -> bool:
    """Whether a location is an absolute path, well-formed or not."""
    return location.startswith("/")


def _open_folder(path: str, closed: Collection[str]) -> str:
    """A path on the clients' machines. Compared as text: nobody here may look at it."""
    check_path(path[1:].removesuffix("/"))
    if path.split("/")[1].casefold() in _SYSTEM:
        raise InvalidInput(f"Invalid artifact_location: '{path}' is a folder of the system's own.")
    folded = path.casefold()
    if any(folded == c or folded.startswith(c + "/") for c in map(str.casefold, closed)):
        raise InvalidInput(f"Invalid artifact_location: '{path}' is this server's own.")
    return path


def is_object_store(location: str) -> bool:
    """Whether a location is the address of an object store, well-formed or not."""
    address = _ADDRESS.fullmatch(location)
    return address is not None and address["scheme"].lower() in OBJECT_STORES


def _check_folder(path: str) -> None:
    check_path(path)
    if path.split("/", 1)[0].casefold() == RESERVED:
        raise InvalidInput(
            f"Invalid artifact_location: '{PROXIED}{path}'. '{RESERVED}/' is the server's own."
        )


def check_source(source: str) -> str:
    """The scheme, in lower case, of the source of a version.

    Raises InvalidInput, in MLflow's words, for local paths, hosts, and paths that no reader takes
    for the same place.
    """
    found = _SCHEME.match(source)
    scheme = found[1].lower() if found else ""
    if scheme in _HOSTS or (scheme == "mlflow-artifacts" and source[17:19] == "//"):
        raise InvalidInput(
            f"'source' cannot use the '{scheme}' scheme: the '{scheme}' scheme addresses a host "
            "other than the tracking server's configured artifact storage."
        )
    check_location(source, "model version source", _RELATIVE)
    if scheme == "file" or len(scheme) < 2:  # a drive is no scheme
        raise InvalidInput(f"Invalid model version source: '{source}'. {_LOCAL}")
    if scheme not in OBJECT_STORES and not _is_absolute(source):
        raise InvalidInput(f"Invalid model version source: '{source}'. {_RELATIVE}")
    return scheme


def check_local_source(source: str, root: str | None) -> None:
    """That a path is `root`, the local folder of the run or logged model given, or lies in it.

    Raises InvalidInput in MLflow's words.
    """
    check_location(source, "model version source", _RELATIVE)
    plain = source.rstrip("/")
    check_path(plain[1:])
    if root is None or not is_local(root) or not f"{plain}/".startswith(f"{root}/"):
        raise InvalidInput(f"Invalid model version source: '{source}'. {_LOCAL}")


def _is_absolute(uri: str) -> bool:
    try:
        path = urlsplit(uri).path
    except ValueError:  # no host could be called so
        return False
    return path.startswith("/") and "." not in path.split("/")


def beneath(location: str, *parts: str) -> str:
    """The location of something under another."""
    return "/".join((location.rstrip("/"), *parts))
