"""The bundle that a gate may look at, and nothing else.

It is gathered once, frozen with a digest when a promotion is asked for, and decided on again when
the people have spoken: a metric logged in between changes nothing that was approved.

Tags under `modelkeep.` are instructions to us (a reason, say) and no evidence; they are left out,
so that giving a reason does not make it another bundle.

NOTE: version 1 of `to_json` must never change; approvals are bound to its digests.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from modelkeep.domain.documents import canonical_digest
from modelkeep.domain.errors import IntegrityFailure

INSTRUCTION_PREFIX = "modelkeep."
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, order=True)
class Dataset:
    """A data set that the run read. `digest` is the client's own; `source` is never opened."""

    name: str
    digest: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one version and its run. Make it with `gather`.

    `metrics` holds the last value of each, NaN and the infinities included. `tags` are the
    version's. `authors` are the names of whoever created the version and its run.
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
        )

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists, texts and finite numbers; `from_json` reads them back."""
        return {
            "v": FORMAT_VERSION,
            "tags": dict(self.tags),
            "params": dict(self.params),
            "metrics": {name: written(value) for name, value in self.metrics.items()},
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
        if stored.v != FORMAT_VERSION:
            raise IntegrityFailure(f"Evidence of format {stored.v} is not known here.")
        return cls.gather(
            tags=stored.tags,
            params=stored.params,
            metrics={name: float(value) for name, value in stored.metrics.items()},
            run_tags=stored.run_tags,
            datasets=stored.datasets,
            git_commit=stored.git_commit,
            run_id=stored.run_id,
            logged_model_id=stored.logged_model_id,
            authors=stored.authors,
        )

    def digest(self) -> str:
        """`sha256:<hex>` over the canonical JSON (RFC 8785) of `to_json()`."""
        return canonical_digest(self.to_json())


class _Stored(msgspec.Struct, forbid_unknown_fields=True):
    v: int
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float | Literal["NaN", "Infinity", "-Infinity"]]
    run_tags: dict[str, str]
    datasets: list[Dataset]
    git_commit: str | None
    run_id: str | None
    logged_model_id: str | None
    authors: list[str]


def _without_instructions(tags: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(
        {key: value for key, value in tags.items() if not key.startswith(INSTRUCTION_PREFIX)}
    )


def written(value: float) -> float | str:
    """A metric for JSON, which has no NaN and no infinities: those are texts."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value
