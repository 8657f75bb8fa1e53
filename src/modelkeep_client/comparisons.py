"""Versions beside one another: compared, told apart, and traced to where they come from."""

from dataclasses import dataclass

from modelkeep_client.requests import Vote
from modelkeep_client.values import File, Request, Stay, Version

Metric = float | str  # "NaN", "Infinity" and "-Infinity" are what JSON lacks


@dataclass(frozen=True, slots=True)
class MetricRow:
    """`values` in the order of the versions, None where not measured; `best` are their numbers."""

    name: str
    lower_is_better: bool
    values: tuple[Metric | None, ...]
    best: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TextRow:
    """`values` in the order of the versions, None where there is none."""

    name: str
    values: tuple[str | None, ...]
    differs: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Versions side by side."""

    model: str
    versions: tuple[Version, ...]
    metrics: tuple[MetricRow, ...]
    params: tuple[TextRow, ...]
    tags: tuple[TextRow, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """A change in what a model promises, and the `bump` that it calls for: major, minor, patch."""

    bump: str
    message: str


@dataclass(frozen=True, slots=True)
class Number:
    """Why a semantic version is not less: `least` is the smallest honest one after `before`."""

    least: str
    before: str | None
    bump: str | None
    reasons: tuple[Reason, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class ChangedFile:
    path: str
    before: File
    after: File


@dataclass(frozen=True, slots=True)
class Files:
    """What became of the files; `same` is how many have the same bytes in both."""

    added: tuple[File, ...]
    removed: tuple[File, ...]
    changed: tuple[ChangedFile, ...]
    same: int


@dataclass(frozen=True, slots=True)
class Changed:
    """None where there is none."""

    name: str
    before: Metric | None
    after: Metric | None


@dataclass(frozen=True, slots=True)
class Difference:
    """From one version to another: the `bump` that the contract calls for and its `reasons`, then
    what else differs. `files` is None where the bytes of one are not held by the server."""

    before: Version
    after: Version
    bump: str
    reasons: tuple[Reason, ...]
    number: Number
    files: Files | None
    metrics: tuple[Changed, ...]
    params: tuple[Changed, ...]
    tags: tuple[Changed, ...]
    datasets: tuple[Changed, ...]
    facts: tuple[Changed, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set that a run read; `digest` is the client's own."""

    name: str
    digest: str
    context: str
    source_type: str
    source: str


@dataclass(frozen=True, slots=True)
class Run:
    """`user` is what the client said, `author` who called; times are None if no calendar has
    them."""

    id: str
    name: str
    experiment: str | None
    experiment_id: str
    status: str
    lifecycle: str
    user: str
    author: str
    started: str | None
    ended: str | None
    git_commit: str | None
    params: dict[str, str]
    metrics: dict[str, Metric]
    tags: dict[str, str]
    datasets: tuple[Dataset, ...]


@dataclass(frozen=True, slots=True)
class RunName:
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class LoggedModel:
    id: str
    name: str
    type: str | None
    status: str
    deleted: bool
    created: str


@dataclass(frozen=True, slots=True)
class Approval:
    """A request of a version, and the votes on it."""

    request: Request
    votes: tuple[Vote, ...]


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a version came from, where it went, and who approved it."""

    version: Version
    semver: Number
    files: int | None
    size_bytes: int | None
    logged_model: LoggedModel | None
    run: Run | None
    parent_run: RunName | None
    copy_of: Version | None
    copies: tuple[Version, ...]
    served: tuple[Stay, ...]
    approvals: tuple[Approval, ...]
