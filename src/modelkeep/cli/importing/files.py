"""Artifacts: listed on both sides, streamed from the one to the other, hashed on the way.

A file that is here with the same size is not read again unless every one is to be verified. What
was sent is held against the digest that the server has of it by then. A source's object store is
left where it is: its address is kept.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from modelkeep.cli.importing import fitting
from modelkeep.cli.importing.http import Refused
from modelkeep.cli.importing.job import Job
from modelkeep.cli.importing.mlflow import Wire
from modelkeep.cli.importing.report import FILES
from modelkeep.domain.imports import End
from modelkeep.domain.locations import PROXIED
from modelkeep.domain.manifests import File
from modelkeep.domain.names import PATH_LIMIT

Folder = Callable[[str], Sequence[Wire]]  # the entries of a folder, by paths from the root


@dataclass(slots=True)
class Tree:
    """The artifacts of one thing. `root` is a path of the artifact store here."""

    name: str
    root: str
    entries: Folder
    address: str
    params: dict[str, str]  # with the file's path under the name `path_param`
    path_param: str
    files: list["Missing"] = field(default_factory=list)


@dataclass(slots=True)
class Missing:
    """A file that is to be read from the source, and what it was found to be there.

    `known` is what is here under its path.
    """

    tree: Tree
    path: str
    known: File | None
    sha256: str = ""
    size_bytes: int = 0


def of_run(job: Job, run_id: str, here: str) -> Tree:
    """`here` is where the run's artifacts lie on this side."""

    def entries(folder: str) -> Sequence[Wire]:
        answer = job.source.get("artifacts/list", run_id=run_id, path=folder or None)
        return answer.get("files", ())

    return Tree(run_id, here, entries, "/get-artifact", {"run_id": run_id}, "path")


def of_logged_model(job: Job, model_id: str, here: str) -> Tree:
    def entries(folder: str) -> Sequence[Wire]:
        path = f"logged-models/{model_id}/artifacts/directories"
        answer = job.source.get(path, artifact_directory_path=folder or None)
        return answer.get("files", ())

    address = f"/ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files"
    return Tree(model_id, here, entries, address, {}, "artifact_file_path")


def bring(job: Job, trees: Sequence[Tree]) -> None:
    """Brings what is missing of the trees, and compares them."""
    ours = [tree for tree in trees if tree.root.startswith(PROXIED)]
    for _ in range(len(trees) - len(ours)):
        job.report.stays()
    missing = (
        file for tree in job.each(lambda tree: _survey(job, tree), ours) for file in tree.files
    )
    for _ in job.each(lambda file: _bring(job, file), missing):
        job.tick()
    for _ in job.each(lambda tree: _compare(job, tree), [tree for tree in ours if tree.files]):
        job.tick()


def _survey(job: Job, tree: Tree) -> Tree:
    """Finds the files that have to be read."""
    tree.root = tree.root.removeprefix(PROXIED).strip("/")
    here = {file.path: file for file in job.keep.files(tree.root)}
    for path, size_bytes in _walk(job, tree):
        job.report.saw(FILES)
        why = fitting.path(f"{tree.root}/{path}")
        known = here.pop(path, None)
        if why:
            _differs(job, tree, path, why)
        elif known and known.size_bytes == size_bytes and not job.verify:
            job.report.sized()
            job.report.same(FILES)
            job.report.count(FILES, End.UNCHANGED)
        else:
            tree.files.append(Missing(tree, path, known))
    for path in sorted(here):
        job.report.only_here(FILES, f"{tree.name} {path!r}", "it is here only")
        job.unlike.setdefault(tree.name, set()).add(path)
    return tree


def _walk(job: Job, tree: Tree) -> Iterator[tuple[str, int | None]]:
    """The files of a tree at the source, with their sizes where it says them."""
    folders = deque([""])
    while folders:
        folder = folders.popleft()
        try:
            entries = tree.entries(folder)
        except Refused as refused:
            _differs(job, tree, folder, refused.message)
            continue
        for entry in entries:
            if entry.get("is_dir"):
                if len(folder) < len(entry["path"]) <= PATH_LIMIT:  # so that it comes to an end
                    folders.append(entry["path"])
                else:
                    _differs(job, tree, folder, f"a folder in it is too deep: {entry['path']!r}")
            else:
                yield entry["path"], entry.get("file_size")


def _bring(job: Job, file: Missing) -> None:
    """Reads a file and, unless it is here already, writes it."""
    try:
        if file.known:
            job.source.http.patiently(lambda: _read(job, file, lambda chunks, _: deque(chunks, 0)))
        if not file.known or file.sha256 != file.known.sha256:
            path = f"{file.tree.root}/{file.path}"
            put = job.keep.put
            job.source.http.patiently(lambda: _read(job, file, lambda *sent: put(path, *sent)))
    except Refused as refused:
        file.sha256 = ""
        _differs(job, file.tree, file.path, refused.message)


def _read(job: Job, file: Missing, take: Callable[[Iterator[bytes], int | None], object]) -> None:
    """Streams a file from the source to whoever takes it, and notes its digest and size."""
    tree, digest, size_bytes = file.tree, hashlib.sha256(), 0
    given = {**tree.params, tree.path_param: file.path}
    with job.source.http.open(tree.address, **given) as (announced, chunks):

        def hashed() -> Iterator[bytes]:
            nonlocal size_bytes
            for chunk in chunks:
                digest.update(chunk)
                size_bytes += len(chunk)
                yield chunk

        take(hashed(), announced)
    file.sha256, file.size_bytes = digest.hexdigest(), size_bytes


def _compare(job: Job, tree: Tree) -> None:
    """Holds what was read against what the server here has by now."""
    here = {file.path: file for file in job.keep.files(tree.root)}
    for file in tree.files:
        found = here.get(file.path)
        if not file.sha256:
            continue  # it could not be read, or not be written: that is in the report
        if found is None or found.sha256 != file.sha256:
            _differs(job, tree, file.path, "its SHA-256 is another here")
            continue
        was = file.known
        end = End.CREATED if was is None else End.CHANGED
        same = was is not None and was.sha256 == file.sha256
        job.report.count(FILES, End.UNCHANGED if same else end)
        job.report.same(FILES)
        job.report.read(file.size_bytes)


def _differs(job: Job, tree: Tree, path: str, why: str) -> None:
    """Tells it, and keeps it in mind: no version may be frozen from such a tree."""
    job.report.differs(FILES, f"{tree.name} {path!r}", why)
    job.unlike.setdefault(tree.name, set()).add(path)
