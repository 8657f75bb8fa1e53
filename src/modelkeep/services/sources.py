"""What the source of a version means: a tree that the server holds, or a label it never opens.

A client names a source in a URI. Only four forms mean bytes of ours, and all are looked up as
rows; everything else is kept as text, given back verbatim, and opened by nobody:

* `runs:/<run>/<path>`            what the run logged under that path
* `models:/<logged model>[/path]` what the logged model has
* `models:/<name>/<version>`      the frozen tree of another version
* `mlflow-artifacts:/<path>`      a path of the artifact store

Local paths and hosts are refused, as are schemes that nobody knows (MLflow 3.18,
`server/handlers.py`; CVE-2023-1177 and its kin). No tag changes what is checked: a prompt's
placeholder source is a label like any other (CVE-2026-2614).
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from modelkeep.domain import names
from modelkeep.domain.errors import InvalidInput, NotFound
from modelkeep.domain.locations import LABELS, PROXIED, RESERVED
from modelkeep.domain.manifests import FILE_LIMIT, File, Manifest
from modelkeep.domain.models import Version
from modelkeep.ports.work import Work
from modelkeep.services.catalog import locate

VERSION_FOLDER = f"{RESERVED}/versions"  # the address space of frozen versions
COPIES_LIMIT = 100  # a name that moved on to another model could close a ring

_PLACEHOLDERS = frozenset({"dummy-source"})  # what MLflow's prompts have for a source
_COPY = re.compile(r"models:/([^/]+)/(\d{1,18})")
_LOGGED_MODEL = re.compile(r"m-[0-9a-f]{32}")
_ID = re.compile(r"[0-9]{1,18}")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a version comes from. `manifest` is None when the bytes are not ours to freeze."""

    run_id: str | None
    logged_model_id: str | None
    manifest: Manifest | None


def resolve(work: Work, source: str, run_id: str | None, model_id: str | None) -> Origin:
    """Freezes the tree that a source names, or finds that it is a label.

    Raises InvalidInput for a source that must not be; NotFound for a run, logged model or version
    that isn't there.
    """
    if not source:
        raise InvalidInput("Missing value for required parameter 'source'.")
    names.check_location(source, "model version source")
    if source in _PLACEHOLDERS:
        return Origin(run_id, model_id, None)
    scheme = _SCHEME.match(source)
    kind = scheme[1].lower() if scheme else ""
    if kind == "runs":
        return _from_run(work, source, run_id, model_id)
    if kind == "models":
        return _from_models(work, source, run_id, model_id)
    if kind == "mlflow-artifacts":
        return _from_artifacts(work, source, run_id, model_id)
    if kind in LABELS:
        return Origin(run_id, model_id, None)
    raise _refused(source)


def address(work: Work, version: Version) -> str:
    """Where a client downloads a version: its frozen tree, or its label verbatim.

    A copy of an unverified version has that version's address. Raises NotFound if it's gone.
    """
    for _ in range(COPIES_LIMIT):
        if version.manifest is not None:
            return f"{PROXIED}{VERSION_FOLDER}/{version.id}"
        copied = _COPY.fullmatch(version.source)
        if copied is None:
            return version.source
        version = locate(work, copied[1], int(copied[2]))
    raise NotFound(f"'{version.source}' is a copy of a copy, over {COPIES_LIMIT} times.")


def path_of(uri: str) -> str | None:
    """The artifact path that an `mlflow-artifacts:/…` URI names; None for any other URI."""
    if not uri.startswith(PROXIED) or uri.startswith(PROXIED + "/"):
        return None
    return uri.removeprefix(PROXIED).strip("/")


def _refused(source: str) -> InvalidInput:
    return InvalidInput(
        f"Invalid model version source: '{source}'. It must be a runs:/, models:/ or "
        "mlflow-artifacts:/ URI of this server, or an object store's URI such as s3://; local "
        "paths and other hosts are not accepted."
    )


def _path_in(source: str) -> str:
    """The path of `scheme:/path`. Refuses an authority, a query, a fragment, params."""
    parts = urlsplit(source)
    if parts.netloc or parts.query or parts.fragment or ";" in source or "?" in source:
        raise _refused(source)
    path = parts.path.strip("/")
    if not path or "//" in parts.path or not parts.path.startswith("/"):
        raise _refused(source)
    return names.check_path(path)


def _from_run(work: Work, source: str, run_id: str | None, model_id: str | None) -> Origin:
    named, _, path = _path_in(source).partition("/")
    if run_id and run_id != named:
        raise InvalidInput(
            f"Invalid model version source: '{source}'. It names run {named}, "
            f"but the request's run_id is {run_id}."
        )
    run = work.runs.get(named)
    if run is None:
        raise NotFound(f"Run with id={named} not found")
    if model_id:
        logged = work.logged_models.get(model_id)
        if logged is None or logged.source_run_id != named:
            raise InvalidInput(f"Invalid model version source: '{source}' is not of {model_id}.")
    root = path_of(run.artifact_uri)
    return Origin(named, model_id, _tree(work, root, path))


def _from_models(work: Work, source: str, run_id: str | None, model_id: str | None) -> Origin:
    first, _, rest = _path_in(source).partition("/")
    if _LOGGED_MODEL.fullmatch(first):
        return _from_logged_model(work, source, first, rest, run_id, model_id)
    if not (rest.isascii() and rest.isdecimal()) or len(rest) > 18:
        raise InvalidInput(
            f"Invalid model version source: '{source}'. A models:/ source names a logged model "
            "or a version by its number."
        )
    version = locate(work, first, int(rest))
    return _from_version(work, source, version, run_id, model_id)


def _from_version(
    work: Work, source: str, version: Version, run_id: str | None, model_id: str | None
) -> Origin:
    """What another version is made of; its run and logged model must be those given, if any."""
    if (run_id or version.run_id) != version.run_id:
        raise InvalidInput(f"Invalid model version source: '{source}' is not of run {run_id}.")
    if (model_id or version.logged_model_id) != version.logged_model_id:
        raise InvalidInput(f"Invalid model version source: '{source}' is not of {model_id}.")
    return Origin(version.run_id, version.logged_model_id, work.artifacts.frozen(version.id))


def _from_logged_model(
    work: Work, source: str, named: str, path: str, run_id: str | None, model_id: str | None
) -> Origin:
    if model_id and model_id != named:
        raise InvalidInput(
            f"Invalid model version source: '{source}'. It names logged model {named}, "
            f"but the request's model_id is {model_id}."
        )
    logged = work.logged_models.get(named)
    if logged is None:
        raise NotFound(f"Logged model with ID '{named}' not found.")
    # A version is judged by the metrics of its run: it must not name another's.
    if run_id and run_id != logged.source_run_id:
        raise InvalidInput(f"Invalid model version source: '{source}' is not of run {run_id}.")
    tree = _tree(work, path_of(logged.artifact_uri), path)
    return Origin(logged.source_run_id, named, tree)


def _from_artifacts(work: Work, source: str, run_id: str | None, model_id: str | None) -> Origin:
    path = _path_in(source)
    if path.split("/", 1)[0] == RESERVED:
        version = _version_at(work, source, path)
        return _from_version(work, source, version, run_id, model_id)
    owners = _owners(work, path)
    if (run_id and owners.run_id != run_id) or (model_id and owners.logged_model_id != model_id):
        raise InvalidInput(
            f"Invalid model version source: '{source}'. It is not inside the artifacts of "
            f"{'run ' + run_id if run_id else 'logged model ' + str(model_id)}."
        )
    return Origin(owners.run_id, owners.logged_model_id, _tree(work, path, ""))


def _version_at(work: Work, source: str, path: str) -> Version:
    given = path.removeprefix(VERSION_FOLDER + "/")
    version = work.versions.by_id(int(given)) if _ID.fullmatch(given) else None
    if version is None or version.deleted:
        raise NotFound(f"Model version source '{source}' not found")
    return version


def _owners(work: Work, path: str) -> Origin:
    """The run or logged model whose artifacts a path lies in, by decoded path segments."""
    for segment in path.split("/"):
        if _LOGGED_MODEL.fullmatch(segment):
            logged = work.logged_models.get(segment)
            if logged and _inside(path, path_of(logged.artifact_uri)):
                return Origin(logged.source_run_id, segment, None)
        elif len(segment) == 32:
            run = work.runs.get(segment)
            if run and _inside(path, path_of(run.artifact_uri)):
                return Origin(segment, None, None)
    return Origin(None, None, None)


def _inside(path: str, root: str | None) -> bool:
    return root is not None and (path == root or path.startswith(root + "/"))


def _tree(work: Work, root: str | None, path: str) -> Manifest | None:
    if root is None:  # the run's artifacts lie in a store that is not ours
        return None
    folder = f"{root}/{path}" if path else root
    files: list[File] = work.artifacts.tree(folder, FILE_LIMIT + 1)
    return Manifest.of(files) if files else None
