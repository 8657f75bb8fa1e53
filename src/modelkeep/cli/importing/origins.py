"""What the source of a version is called here.

A version's source names a place: of a run, of a logged model, of another version, or one that
only its server knows. Runs and logged models keep their ids, so that most sources stay what they
are; a place among the artifacts of a run or logged model is named by where those lie here.
"""

import re
from urllib.parse import unquote, urlsplit

from modelkeep.cli.importing.facts import Facts
from modelkeep.cli.importing.http import Refused
from modelkeep.cli.importing.job import Job
from modelkeep.domain.locations import PROXIED

_PROXY_PATH = "/mlflow-artifacts/artifacts/"
_OWNER = re.compile(r"(?:^|/)([0-9a-f]{32}|m-[0-9a-f]{32})(?=/|$)")
LOGGED_MODEL = re.compile(r"models:/(m-[0-9a-f]{32})(?=/|$)")
_TREE = re.compile(
    r"(?:runs:/|models:/|mlflow-artifacts:/\d+/(?:models/)?)"
    r"(?P<owner>[0-9a-f]{32}|m-[0-9a-f]{32})(?:/artifacts(?=/|$))?(?:/(?P<path>.+))?"
)
COPY = re.compile(r"models:/([^/]+)/(\d{1,18})")


def here(job: Job, version: Facts, source: str) -> str:
    """The source's name here; the source itself where it need not or cannot be another."""
    place = _place(source)
    if place is None:
        return source
    candidates = [version["run_id"], *reversed(_OWNER.findall(place[1]))]
    for owner in dict.fromkeys(c for c in candidates if c):
        roots = _roots(job, owner)
        root = _place(roots[0]) if roots else None
        rest = _beneath(place, root) if root else None
        if roots and rest is not None and roots[1].startswith(PROXIED):
            return roots[1] + rest
    return source


def unlike(job: Job, source: str) -> str | None:
    """A path in the tree that a source names here whose files are not what they are there."""
    named = _TREE.fullmatch(source)
    if named is None:
        return None
    folder = named["path"] or ""
    for path in sorted(job.unlike.get(named["owner"], ())):
        if not folder or not path or path == folder or path.startswith(folder + "/"):
            return path or "/"
        if folder.startswith(path + "/"):  # a folder above that could not be listed
            return path
    return None


def _place(uri: str) -> tuple[str, str] | None:
    """(kind, path) of what only its server can open; None for any other source."""
    parts = urlsplit(uri)
    if parts.scheme == "mlflow-artifacts":
        return "proxy", parts.path.strip("/")
    if parts.scheme in ("http", "https") and _PROXY_PATH in parts.path:
        return "proxy", unquote(parts.path.partition(_PROXY_PATH)[2].strip("/"))
    if parts.scheme == "file":
        return "disk", unquote(parts.path.rstrip("/"))
    if not parts.scheme:
        return "disk", uri.rstrip("/")
    return None


def _beneath(place: tuple[str, str], root: tuple[str, str]) -> str | None:
    """What follows the root in a place's path, with its slash; None if it is elsewhere."""
    if place[0] != root[0]:
        return None
    if place[1] == root[1]:
        return ""
    return place[1][len(root[1]) :] if place[1].startswith(root[1] + "/") else None


def _roots(job: Job, owner: str) -> tuple[str, str] | None:
    """Where the artifacts of a run or logged model lie, there and here; None if it is unknown."""
    try:
        if owner.startswith("m-"):
            both = job.source.logged_model(owner), job.here.logged_model(owner)
        else:
            both = job.source.run(owner), job.here.run(owner)
    except Refused:
        return None
    return both[0]["info"]["artifact_uri"], both[1]["info"]["artifact_uri"]
