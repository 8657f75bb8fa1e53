"""The bundle that a gate may look at, and nothing else.

It is gathered once, frozen with a digest when a promotion is asked for, and decided on again when
the people have spoken: a metric logged in between changes nothing that was approved.

Tags under `modelkeep.` are instructions to us (a reason, say) and no evidence; they are left out,
so that giving a reason does not make it another bundle.

NOTE: versions 1 and 2 of `to_json` must never change; approvals are bound to their digests. A
bundle that says nothing of where the version stands is of version 1, as all were at first.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from modelkeep.domain.documents import canonical_digest
from modelkeep.domain.errors import IntegrityFailure

INSTRUCTION_PREFIX = "modelkeep."
FORMATS = (1, 2)


@dataclass(frozen=True, slots=True, order=True)
class Dataset:
    """A data set that the run read. `digest` is the client's own; `source` is never opened."""

    name: str
    digest: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """Which version it is, and since when (milliseconds since the epoch) it is in its stage.

    `manifest` is its digest, None when the server does not hold the bytes. `since_ms` is when the
    version was made, if it never was in another stage than None.
    """

    number: int
    stage: str
    since_ms: int
    manifest: str | None


@dataclass(frozen=True, slots=True)
class Occupant:
    """The version that the target held when the evidence was gathered, and how good it was."""

    number: int
    subject: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one version and its run. Make it with `gather`.

    `metrics` holds the last value of each, NaN and the infinities included. `tags` are the
    version's. `authors` are the names of whoever created the version and its run. `documents`
    are the digests of what was attached to the version, by name; `card` is the one called `card`,
    read; `occupant` is there only if a gate compares with it.
    The mappings are read-only copies.
    """

    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    run_tags: Mapping[str, str]
    datasets: tuple[Dataset, ...]
    git_commit: str | None
    run_id: str | None
    logged_model_id: str | None
    authors: tuple[str, ...]
    standing: Standing | None = None
    documents: Mapping[str, str] = field(default_factory=dict)
    card: Mapping[str, Any] | None = None
    occupant: Occupant | None = None

    @classmethod
    def gather(
        cls,
        *,
        tags: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
        run_tags: Mapping[str, str] | None = None,
        datasets: Iterable[Dataset] = (),
        git_commit: str | None = None,
        run_id: str | None = None,
        logged_model_id: str | None = None,
        authors: Iterable[str] = (),
        standing: Standing | None = None,
        documents: Mapping[str, str] | None = None,
        card: Mapping[str, Any] | None = None,
        occupant: Occupant | None = None,
    ) -> "Evidence":
        """A bundle of these, in one order whatever theirs was, without `modelkeep.` tags."""
        return cls(
            tags=_without_instructions(tags or {}),
            params=MappingProxyType(dict(params or {})),
            metrics=MappingProxyType({k: float(v) for k, v in (metrics or {}).items()}),
            run_tags=_without_instructions(run_tags or {}),
            datasets=tuple(sorted(set(datasets))),
            git_commit=git_commit,
            run_id=run_id,
            logged_model_id=logged_model_id,
            authors=tuple(sorted(set(authors))),
            standing=standing,
            documents=MappingProxyType(dict(documents or {})),
            card=card,
            occupant=occupant,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists, texts and finite numbers; `from_json` reads them back."""
        if self.standing is None:
            return {"v": 1, **self._of_the_run()}
        there = self.occupant
        return {
            "v": 2,
            **self._of_the_run(),
            "standing": asdict(self.standing),
            "documents": dict(self.documents),
            "card": self.card,
            "occupant": there
            and {
                "number": there.number,
                "subject": there.subject,
                "tags": dict(there.tags),
                "params": dict(there.params),
                "metrics": _written(there.metrics),
            },
        }

    def _of_the_run(self) -> dict[str, Any]:
        return {
            "tags": dict(self.tags),
            "params": dict(self.params),
            "metrics": _written(self.metrics),
            "run_tags": dict(self.run_tags),
            "datasets": [
                {"name": d.name, "digest": d.digest, "source": d.source} for d in self.datasets
            ],
            "git_commit": self.git_commit,
            "run_id": self.run_id,
            "logged_model_id": self.logged_model_id,
            "authors": list(self.authors),
        }

    @classmethod
    def from_json(cls, data: object) -> "Evidence":
        """The bundle that `to_json` wrote; IntegrityFailure if this is not one."""
        try:
            stored = msgspec.convert(data, _Stored)
        except msgspec.ValidationError as error:
            raise IntegrityFailure(f"This is not a stored evidence bundle: {error}.") from error
        if stored.v not in FORMATS or (stored.v == 1) != (stored.standing is None):
            raise IntegrityFailure(f"Evidence of format {stored.v} is not known here.")
        there = stored.occupant
        return cls.gather(
            tags=stored.tags,
            params=stored.params,
            metrics=_read(stored.metrics),
            run_tags=stored.run_tags,
            datasets=stored.datasets,
            git_commit=stored.git_commit,
            run_id=stored.run_id,
            logged_model_id=stored.logged_model_id,
            authors=stored.authors,
            standing=stored.standing,
            documents=stored.documents,
            card=stored.card,
            occupant=there
            and Occupant(
                there.number, there.subject, there.tags, there.params, _read(there.metrics)
            ),
        )

    def digest(self) -> str:
        """`sha256:<hex>` over the canonical JSON (RFC 8785) of `to_json()`."""
        return canonical_digest(self.to_json())


_Metrics = dict[str, float | Literal["NaN", "Infinity", "-Infinity"]]


class _StoredOccupant(msgspec.Struct, forbid_unknown_fields=True):
    number: int
    subject: str
    tags: dict[str, str]
    params: dict[str, str]
    metrics: _Metrics


class _Stored(msgspec.Struct, forbid_unknown_fields=True):
    v: int
    tags: dict[str, str]
    params: dict[str, str]
    metrics: _Metrics
    run_tags: dict[str, str]
    datasets: list[Dataset]
    git_commit: str | None
    run_id: str | None
    logged_model_id: str | None
    authors: list[str]
    standing: Standing | None = None
    documents: dict[str, str] = {}
    card: dict[str, Any] | None = None
    occupant: _StoredOccupant | None = None


def _without_instructions(tags: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(
        {key: value for key, value in tags.items() if not key.startswith(INSTRUCTION_PREFIX)}
    )


def _written(metrics: Mapping[str, float]) -> dict[str, float | str]:
    return {name: written(value) for name, value in metrics.items()}


def _read(metrics: Mapping[str, float | str]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items()}


def written(value: float) -> float | str:
    """A metric for JSON, which has no NaN and no infinities: those are texts."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value
