"""What the source of a version means: a tree that the server holds, or a label it never opens.

A client names a source in a URI. Only five forms mean bytes of ours, and all are looked up as
rows; everything else is kept as text, given back verbatim, and opened by nobody:

* `runs:/<run>/<path>`            what the run logged under that path
* `models:/<logged model>[/path]` what the logged model has
* `models:/<name>/<version>`      the frozen tree of another version
* `mlflow-artifacts:/<path>`      a path of the artifact store
* `s3://<bucket>/<key>`           an object of the S3 API, or all under a key, if one lies there

`models:/<name>@<alias>` and `models:/<name>/<stage, latest, 1.4.0 or ~1.4>` stand for the version
that they mean at that moment, and are kept as its number.

Local paths outside of their run's folder, and hosts, are refused (`domain.locations`; MLflow
3.17.2, `server/handlers.py`; CVE-2023-1177 and its kin). A prompt has no source, only a
placeholder: its tag opens nothing else (CVE-2026-2614).
"""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from urllib.parse import urlsplit

from modelkeep.domain import names, objects, semver
from modelkeep.domain.errors import Blocked, Conflict, Forbidden, InvalidInput, NotFound
from modelkeep.domain.hands import Deed, Hand, Thing
from modelkeep.domain.locations import (
    PROXIED,
    RESERVED,
    beneath,
    check_local_source,
    check_source,
    is_local,
)
from modelkeep.domain.manifests import FILE_LIMIT, File, Manifest
from modelkeep.domain.models import LATEST, PENDING, Version, is_prompt
from modelkeep.domain.search import Comparison, Order
from modelkeep.domain.tracking import LoggedModel, Run
from modelkeep.ports.work import Work
from modelkeep.services import buckets, makers
from modelkeep.services.catalog import by_alias, latest_per_stage, locate, stage_meant
from modelkeep.services.catalog import resolve as resolve_version

VERSION_FOLDER = f"{RESERVED}/versions"  # the address space of frozen versions
COPIES_LIMIT = 100  # a name that moved on to another model could close a ring

# What MLflow's prompts have for a source (3.17.2, `prompt/constants.py`).
_PLACEHOLDERS = frozenset(("dummy-source", "prompt-template"))
_OURS = frozenset(("runs", "models", "mlflow-artifacts"))
_COPY = re.compile(r"models:/([^/]+)/(\d{1,18})")
_LOGGED_MODEL = re.compile(r"m-[0-9a-f]{32}")
_ID = re.compile(r"[0-9]{1,18}")
_SLASHES = re.compile(r"(?<!:)//+")
_DOTS = re.compile(r"/\.{3,}(?=/|$)")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a version comes from. `manifest` is None when the bytes are not ours to freeze.

    `source` is what to keep instead of what the client gave. `pending` is the tree where some of it
    is not hashed yet; `location` the address of files that lie in another store; `hands` are those
    in the bytes of what is no run's and no logged model's.
    """

    run_id: str | None
    logged_model_id: str | None
    manifest: Manifest | None
    source: str | None = None
    pending: tuple[File, ...] = ()
    location: str | None = None
    hands: tuple[Hand, ...] = ()


def resolve(work: Work, source: str, run_id: str | None, model_id: str | None) -> Origin:
    """Freezes the tree that a source names, or finds that it is a label.

    Raises InvalidInput for a source that must not be; NotFound for a run, logged model or version
    that isn't there.
    """
    if not source:
        raise InvalidInput("Missing value for required parameter 'source'.")
    if is_local(source):
        return _from_local(work, source, run_id, model_id)
    kind = check_source(source)
    if kind == "runs":
        return _from_run(work, source, run_id, model_id)
    if kind == "models":
        return _from_models(work, source, run_id, model_id)
    if kind == "mlflow-artifacts":
        return _from_artifacts(work, source, run_id, model_id)
    if model_id:
        run_id = run_id or _logged_model(work, model_id).source_run_id
    return _from_object(work, source, run_id, model_id) or Origin(run_id, model_id, None)


def check_claimed(source: str, run_id: str | None, model_id: str | None) -> None:
    """That a client says beside a source whose it is, which MLflow asks of it (3.17.2).

    Raises InvalidInput in MLflow's words for a run's source without `run_id`, a logged model's
    without `model_id`, a path of the artifact store without either. A frozen version's address
    is nobody's else.
    """
    if is_local(source):  # of which `resolve` asks more
        return
    kind = check_source(source)
    of_model = kind == "models" and _LOGGED_MODEL.fullmatch(_path_in(source).split("/", 1)[0])
    if of_model and not model_id:
        raise _refused(source, "model_id")
    if kind == "runs" and not run_id:
        raise _refused(source, "run_id")
    frozen = (path_of(source) or "").startswith(VERSION_FOLDER + "/")
    if kind == "mlflow-artifacts" and not (run_id or model_id or frozen):
        raise _refused(source, "run_id")


def of_prompt(source: str, run_id: str | None) -> Origin:
    """What a prompt comes from, whose text is in its tags. Raises InvalidInput."""
    if source not in _PLACEHOLDERS:
        raise InvalidInput(
            f"Invalid prompt source: '{source}'. Prompt sources must use an MLflow placeholder."
        )
    return Origin(run_id, None, None)


def of_objects(work: Work, addresses: Sequence[str]) -> Origin:
    """What several objects of ours are together, each under its bucket and key."""
    files: dict[str, File] = {}
    hands: list[Hand] = []
    for address in addresses:
        found = _from_object(work, address, None, None)
        assert found is not None  # see `is_object`
        place, tree = place_of(address), found.manifest.files if found.manifest else found.pending
        is_file = work.artifacts.get(f"{objects.OBJECTS}/{place}") is not None
        for file in tree:
            path = place if is_file else f"{place}/{file.path}"
            files[path] = replace(file, path=path)
        hands += found.hands
    tree = Manifest.of(files.values())
    if all(file.is_hashed for file in tree.files):
        return Origin(None, None, tree, hands=tuple(hands))
    return Origin(None, None, None, pending=tree.files, hands=tuple(hands))


def is_object(work: Work, address: str) -> bool:
    """Whether an `s3://` address names something that is ours, and lies there."""
    path = objects.path_at(address)
    if path is None or buckets.is_elsewhere(work, path):
        return False
    return bool(work.artifacts.get(path) or work.artifacts.page(path, "", 1))


def place_of(address: str) -> str:
    """`<bucket>/<key>` of an address of ours."""
    path = objects.path_at(address)
    assert path is not None
    return path.removeprefix(f"{objects.OBJECTS}/")


def check_there(work: Work, address: str) -> None:
    """Raises InvalidInput for an address in a bucket that has objects here, where none lies: it is
    a slip, and must not become a label that somebody puts something under later."""
    path = objects.path_at(address)
    if path is None or buckets.is_elsewhere(work, path) or is_object(work, address):
        return
    bucket = path.split("/")[1]
    if work.artifacts.dated_page(f"{objects.OBJECTS}/{bucket}/", "", 1):
        raise InvalidInput(
            f"There is no object at {address}, nor any under it: the bucket '{bucket}' is this "
            "server's. Put it there first, and register it then."
        )


def of_label(source: str) -> Origin:
    """What is never ours, even if something of that name is. Raises InvalidInput for an address
    that only something of ours can have."""
    if check_source(source) in _OURS:
        raise InvalidInput(f"Invalid model version source: '{source}' is of another account.")
    return Origin(None, None, None)


def address(work: Work, version: Version) -> str:
    """Where a client downloads a version: its frozen tree, or its label verbatim.

    A copy of an unverified version has that version's address. Raises NotFound if it's gone,
    Blocked if it may not be loaded any more.
    """
    for _ in range(COPIES_LIMIT):
        check_loadable(version)
        if version.manifest is not None:
            return f"{PROXIED}{VERSION_FOLDER}/{version.id}"
        copied = _COPY.fullmatch(version.source)
        if copied is None:
            return version.source
        version = locate(work, copied[1], int(copied[2]))
    raise NotFound(f"'{version.source}' is a copy of a copy, over {COPIES_LIMIT} times.")


def check_loadable(version: Version) -> None:
    """Raises Blocked, in words that whoever loads it can act on."""
    if version.ending.is_over:
        raise Blocked(version.warning)


def check_bytes(work: Work, version: Version) -> None:
    """Raises Forbidden for whoever may see the version, and not its files; Blocked if nobody may
    load it."""
    check_loadable(version)
    if not work.models.gives_bytes(version.model_id):
        raise Forbidden(
            f"Permission denied. This needs a role that may download on model {version.model_name}."
        )


def copied(work: Work, version: Version) -> Version | None:
    """The version that this one was made a copy of, if it was and that one is still there."""
    source = _COPY.fullmatch(version.source)
    if source is not None:
        # The name says which model it meant then; another may bear it by now.
        named = work.models.named_at(source[1], version.created_ms)
        return work.versions.get(named[0], int(source[2])) if named else None
    path = path_of(version.source) or ""
    if not path.startswith(VERSION_FOLDER + "/"):
        return None
    with suppress(NotFound):
        return _version_at(work, version.source, path)


def copies(work: Work, version: Version, limit: int) -> list[Version]:
    """The living versions that are copies of this one, oldest first; it looks at `limit`."""
    names_of_it = (f"models:/{n}/{version.number}" for n in work.models.names(version.model_id))
    labels = (*names_of_it, f"{PROXIED}{VERSION_FOLDER}/{version.id}")
    found = work.versions.search(
        [Comparison("attribute", "source_path", "IN", labels)],
        [Order("attribute", "creation_timestamp", True)],
        limit,
        None,
    )
    return [one for one in found.items if (of := copied(work, one)) and of.id == version.id]


def path_of(uri: str) -> str | None:
    """The artifact path that an `mlflow-artifacts:/…` URI names; None for any other URI."""
    if not uri.startswith(PROXIED) or uri.startswith(PROXIED + "/"):
        return None
    return uri.removeprefix(PROXIED).strip("/")


def _refused(source: str, field: str = "") -> InvalidInput:
    field = field or ("model_id" if source.startswith("models:") else "run_id")
    return InvalidInput(
        f"Invalid model version source: '{source}'. The {field} request parameter must identify "
        "the resource that contains the source."
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
        raise _refused(source)
    if model_id:
        logged = work.logged_models.get(model_id)
        if logged is None or logged.source_run_id != named:
            raise _refused(source, "model_id")
    run = work.runs.get(named)
    if run is None and run_id:  # of another server, as the client says twice
        return Origin(named, None, None)
    if run is None:
        raise NotFound(f"Run with id={named} not found")
    return _of_tree(work, named, model_id, run.artifact_uri, path)


def _from_local(work: Work, source: str, run_id: str | None, model_id: str | None) -> Origin:
    """A path that only clients can read: a label, and of the run or logged model it lies in."""
    if model_id:
        logged = _logged_model(work, model_id)
        if run_id and run_id != logged.source_run_id:
            raise _refused(source, "run_id")
        check_local_source(source, logged.artifact_uri)
        return Origin(logged.source_run_id, model_id, None)
    run = work.runs.get(run_id) if run_id else None
    check_local_source(source, run.artifact_uri if run else None)
    return Origin(run_id, None, None)


def _from_models(work: Work, source: str, run_id: str | None, model_id: str | None) -> Origin:
    first, _, rest = _path_in(source).partition("/")
    if _LOGGED_MODEL.fullmatch(first):
        return _from_logged_model(work, source, first, rest, run_id, model_id)
    version = _version_meant(work, source, first, rest)
    model = work.models.get(version.model_name)
    if model is not None and is_prompt(model.tags):
        raise InvalidInput(
            f"Invalid model version source: '{source}'. Prompt versions cannot be used as model "
            "version sources."
        )
    return _from_version(work, source, version, run_id, model_id)


def _version_meant(work: Work, source: str, name: str, rest: str) -> Version:
    """The version that `models:/<name>/<rest>` or `models:/<name>@<alias>` means now."""
    if _ID.fullmatch(rest):
        return locate(work, name, int(rest))
    if not rest:
        name, at, alias = name.rpartition("@")
        if not at:
            raise _refused(source)
        version = by_alias(work, name, alias)
        if version is None:
            raise InvalidInput(f"Registered model alias {alias} not found.")
        return version
    if "/" in rest:
        raise _refused(source)
    if rest.lower() == LATEST or semver.wanted(rest):
        return resolve_version(work, name, rest)
    newest = latest_per_stage(work, name)
    stage = stage_meant(work, name, rest, newest)
    for version in newest:
        if version.stage == stage:
            return version
    raise NotFound(f"No versions of model with name '{name}' and stage '{rest}' found")


def _from_version(
    work: Work, source: str, version: Version, run_id: str | None, model_id: str | None
) -> Origin:
    """What another version is made of; its run and logged model must be those given, if any."""
    given = (run_id or version.run_id, model_id or version.logged_model_id)
    if given != (version.run_id, version.logged_model_id):
        raise InvalidInput(
            f"Invalid model version source: '{source}'. The run_id and model_id request "
            "parameters must match the referenced model version."
        )
    check_bytes(work, version)
    if version.status == PENDING:
        raise Conflict(
            f"{version.model_name}/{version.number} is still being registered; try again when its "
            "status is READY."
        )
    named = f"models:/{version.model_name}/{version.number}" if source[:7] == "models:" else None
    hands = tuple(makers.inherited(work, version))
    return Origin(*given, work.artifacts.frozen(version.id), named, hands=hands)


def _from_logged_model(
    work: Work, source: str, named: str, path: str, run_id: str | None, model_id: str | None
) -> Origin:
    if model_id and model_id != named:
        raise _refused(source, "model_id")
    logged = _logged_model(work, named)
    # A version is judged by the metrics of its run: it must not name another's.
    if run_id and run_id != logged.source_run_id:
        raise _refused(source, "run_id")
    return _of_tree(work, logged.source_run_id, named, logged.artifact_uri, path)


def _from_artifacts(work: Work, source: str, run_id: str | None, model_id: str | None) -> Origin:
    plain = _SLASHES.sub("/", source)
    path = _path_in(_DOTS.sub("/dots", plain))
    if path.split("/", 1)[0] == RESERVED:
        version = _version_at(work, source, path)
        return _from_version(work, source, version, run_id, model_id)
    owners = _owners(work, path)
    if (run_id and owners.run_id != run_id) or (model_id and owners.logged_model_id != model_id):
        raise _refused(source, "run_id" if run_id else "model_id")
    if _DOTS.search(plain):  # no folder here is called so
        return owners
    origin = _of_tree(work, owners.run_id, owners.logged_model_id, PROXIED + path, "")
    if owners.run_id or owners.logged_model_id:
        return origin
    return replace(origin, hands=_brought(work, path))


def _from_object(
    work: Work, source: str, run_id: str | None, model_id: str | None
) -> Origin | None:
    """What an `s3://` address names that is one of ours; None where nothing lies there."""
    path = objects.path_at(source)
    if path is None or buckets.is_elsewhere(work, path):
        return None
    origin = _of_tree(work, run_id, model_id, PROXIED + path, "")
    if not (origin.manifest or origin.pending):
        return None
    return replace(origin, hands=_brought(work, path))


def _brought(work: Work, path: str) -> tuple[Hand, ...]:
    authors = work.artifacts.authors(path)
    return tuple(Hand(Thing.VERSION, who, Deed.FILES) for who in authors if who)


def _version_at(work: Work, source: str, path: str) -> Version:
    given = path.removeprefix(VERSION_FOLDER + "/")
    version = work.versions.by_id(int(given)) if _ID.fullmatch(given) else None
    if version is None or version.deleted:
        raise NotFound(f"Model version source '{source}' not found")
    return version


def _owners(work: Work, path: str) -> Origin:
    """The run and logged model that a version is of whose source is a path."""
    owner = owner_of(work, path)
    if isinstance(owner, Run):
        return Origin(owner.run_id, None, None)
    if owner is None or owner.deleted:
        return Origin(None, None, None)
    return Origin(owner.source_run_id, owner.model_id, None)


def owner_of(work: Work, path: str) -> Run | LoggedModel | None:
    """The run or logged model, deleted ones too, whose artifacts a path lies in, by decoded path
    segments; without what was logged to it."""
    return owners(work)(path)


def owners(work: Work) -> Callable[[str], Run | LoggedModel | None]:
    """`owner_of`, for many paths: each segment is looked up once."""
    run, model = cache(work.runs.find), cache(partial(work.logged_models.find, deleted=True))

    def owner_of(path: str) -> Run | LoggedModel | None:
        for segment in path.split("/"):
            owner = None
            if _LOGGED_MODEL.fullmatch(segment):
                owner = model(segment)
            elif len(segment) == 32:
                owner = run(segment)
            if owner and _inside(path, path_of(owner.artifact_uri)):
                return owner
        return None

    return owner_of


def _logged_model(work: Work, model_id: str) -> LoggedModel:
    found = work.logged_models.get(model_id)
    if found is None:
        raise NotFound(f"Logged model with ID '{model_id}' not found.")
    return found


def _inside(path: str, root: str | None) -> bool:
    return root is not None and (path == root or path.startswith(root + "/"))


def _of_tree(
    work: Work, run_id: str | None, model_id: str | None, root_uri: str, path: str
) -> Origin:
    root = path_of(root_uri)
    if root is None:  # the run's artifacts lie in a store that is not ours
        location = beneath(root_uri, path) if path else root_uri
        return Origin(run_id, model_id, None, location=location)
    folder = f"{root}/{path}" if path else root
    files: list[File] = work.artifacts.tree(folder, FILE_LIMIT + 1)
    tree = Manifest.of(files) if files else None
    if tree is None or all(file.is_hashed for file in files):
        return Origin(run_id, model_id, tree)
    return Origin(run_id, model_id, None, pending=tree.files)
