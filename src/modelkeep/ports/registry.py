"""Rows of the registry: models, versions, and the slots that hold them.

Deleted models and versions keep their rows, so that the past can be read; unless a method says
otherwise it sees only the living. Times are milliseconds since the epoch.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from modelkeep.domain.endings import Ending, State
from modelkeep.domain.models import Model, SlotKey, Version
from modelkeep.domain.retention import Standing
from modelkeep.domain.search import Comparison, Order, Page, Position
from modelkeep.domain.semver import Semver


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version that is about to be. Its id and number are those of its `Place`, or an imported
    one's own number."""

    id: int
    model_id: int
    number: int
    source: str
    run_id: str | None
    logged_model_id: str | None
    run_link: str | None
    description: str
    manifest_id: int | None
    author: str
    semver: Semver
    semver_fixed: bool
    status: str
    location: str | None  # the address of its files, where the source does not say it


@dataclass(frozen=True, slots=True)
class Numbered:
    """A version by its semantic version. `manifest` is its digest, None for an unverified one."""

    version_id: int
    semver: Semver
    manifest: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model's next version comes.

    The number is nobody's until it is taken; the id is nobody's, ever, but whoever asked. `before`
    is the version with the highest semantic version, a deleted one too.
    """

    model_id: int
    number: int
    version_id: int
    before: Numbered | None
    is_single: bool  # a model that has but one version, ever


@dataclass(frozen=True, slots=True)
class Occupancy:
    """A stay of a version in a slot: [from_ms, until_ms), open while `until_ms` is None."""

    id: int
    slot: SlotKey
    version_id: int
    number: int
    epoch: int
    from_ms: int
    until_ms: int | None
    approved: bool
    prior_id: int | None
    deleted: bool
    state: State


@dataclass(frozen=True, slots=True)
class Listing:
    """Which models, by their handles and times of creation (from, until: both exclusive)."""

    contains: str = ""  # of the handle, in any case
    from_ms: int | None = None
    until_ms: int | None = None
    by_handle: bool = False  # else by the time of creation
    ascending: bool = True


@dataclass(frozen=True, slots=True)
class PackageListing(Listing):
    """Which versions, by their models' handles and their own times of creation."""

    model_id: int | None = None  # of one model alone
    single: bool | None = None  # of models that are packages without a group, or of all others


class Models(Protocol):
    def get(self, name: str) -> Model | None:
        """With its tags and aliases."""
        ...

    def find(self, name: str) -> int | None:
        """The id alone."""
        ...

    def is_taken(self, name: str) -> bool:
        """Whether any model has the name, or its handle, also one that whoever asks may not see."""
        ...

    def by_handle(self, handle: str) -> str | None:
        """The name of the model with this handle (`domain.handles`)."""
        ...

    def listed(self, wanted: Listing, limit: int, after: Position | None) -> Page[Model]:
        """A page of models as SageMaker lists its groups: without prompts, and without those that
        are packages of no group."""
        ...

    def hidden(self, names: Collection[str]) -> frozenset[str]:
        """Those of the names that, for whoever asks, no model has; none where they see all."""
        ...

    def gives_bytes(self, model_id: int) -> bool:
        """Whether whoever asks may have the bytes of its versions."""
        ...

    def add(self, name: str, description: str, at_ms: int) -> int: ...
    def rename(self, model_id: int, name: str, at_ms: int) -> None: ...
    def describe(self, model_id: int, description: str, at_ms: int) -> None: ...
    def touch(self, model_id: int, at_ms: int) -> None: ...
    def delete(self, model_id: int, at_ms: int) -> None: ...
    def tag(self, model_id: int, key: str) -> str | None:
        """Of deleted ones too."""
        ...

    def set_tag(self, model_id: int, key: str, value: str) -> None: ...
    def delete_tag(self, model_id: int, key: str) -> bool: ...
    def take_number(self, model_id: int, number: int, at_ms: int) -> None:
        """Takes the number of a `Place`: 1, 2, 3 …, never the same twice. Touches the model."""
        ...

    def reserve(self, model_id: int, number: int) -> None:
        """Sees to it that this number, and every lower one, is never taken."""
        ...

    def backdate(self, model_id: int, created_ms: int) -> None:
        """Says that a model was created at another time than it came here."""
        ...

    def search(
        self,
        where: Sequence[Comparison],
        order: Sequence[Order],
        limit: int,
        after: Position | None,
    ) -> Page[Model]:
        """A page that begins after a position; any order ends with the name."""
        ...

    def named_at(self, name: str, at_ms: int) -> tuple[int, str] | None:
        """(id, its name then) of the model meant by `name` at a moment.

        The one that bore it then; else the one that bears it now; else the last one that did.
        """
        ...

    def names(self, model_id: int) -> list[str]:
        """Every name that it bears or bore."""
        ...

    def all(self) -> list[Model]:
        """Every living model, without tags, by name."""
        ...


class Versions(Protocol):
    def get(self, model_id: int, number: int) -> Version | None:
        """With its tags and aliases."""
        ...

    def find(self, model_name: str, number: int) -> Version | None:
        """As `get`, by the model's name."""
        ...

    def is_taken(self, model_id: int, number: int) -> bool:
        """Whether there is or was a version of this number."""
        ...

    def by_id(self, version_id: int) -> Version | None:
        """With its tags and aliases; deleted ones too."""
        ...

    def by_alias(self, model_name: str, alias: str) -> Version | None: ...
    def place(self, model_name: str) -> Place | None:
        """That of the next version of a living model; None if there is no such model."""
        ...

    def add(self, new: NewVersion, at_ms: int) -> None: ...
    def describe(self, version_id: int, description: str, at_ms: int) -> None: ...
    def hold(self, version_id: int, manifest_id: int, at_ms: int) -> None:
        """Its bytes are these, from now on; it is ready."""
        ...

    def set_status(self, version_id: int, status: str, message: str, at_ms: int) -> None: ...
    def set_stage(self, version_id: int, stage: str, at_ms: int) -> None: ...
    def set_ending(self, version_id: int, ending: Ending, at_ms: int) -> None: ...
    def due_to_block(self, now_ms: int, after_id: int, limit: int) -> list[int]:
        """Ids, from after one on, of the deprecated ones whose date of being blocked has come."""
        ...

    def touch(self, version_id: int, at_ms: int) -> None: ...
    def delete(self, version_id: int, at_ms: int) -> None: ...
    def set_tags(self, version_id: int, tags: Mapping[str, str]) -> None: ...
    def delete_tag(self, version_id: int, key: str) -> bool: ...
    def below(self, model_id: int, semver: Semver) -> Numbered | None:
        """The one with the next lower semantic version; deleted ones too."""
        ...

    def above(self, model_id: int, semver: Semver) -> Numbered | None:
        """The one with the next higher semantic version; deleted ones too."""
        ...

    def newest_from(
        self, model_id: int, low: Semver, below: Semver, *, retired: bool
    ) -> Version | None:
        """The living one with the highest semantic version of those from `low` to below `below`;
        retired ones too, or not."""
        ...

    def renumber(self, version_id: int, semver: Semver) -> None:
        """Gives it a semantic version that somebody asked for."""
        ...

    def latest_per_stage(self, model_ids: Sequence[int]) -> dict[int, list[Version]]:
        """Of each model the highest number in each stage that has one, lowest first; retired
        versions aside."""
        ...

    def in_stage(self, model_id: int, stage: str) -> list[int]:
        """Ids, lowest number first."""
        ...

    def any_from(self, folder: str) -> bool:
        """Whether a living version's source is a folder, of at most 199 characters, or in it."""
        ...

    def census(self, model_id: int) -> dict[str, tuple[int, int]]:
        """Stage -> how many stand there, and the highest number of them."""
        ...

    def newest_number(self, model_id: int, count: int) -> int:
        """The lowest of the `count` highest numbers; 0 if there are fewer, or `count` is 0."""
        ...

    def standing(
        self,
        model_id: int,
        stages: Sequence[str],
        before_ms: int,
        below: int,
        after: int,
        limit: int,
    ) -> list[Standing]:
        """Those in some stages, by number, from after a number on: that stand there since a time,
        or longer, or have a number below another."""
        ...

    def of_model(self, model_id: int) -> list[int]: ...
    def listed(self, wanted: PackageListing, limit: int, after: Position | None) -> Page[Version]:
        """A page of versions as SageMaker lists its packages: by (created_ms, id) or by (handle,
        number), which is what their positions are."""
        ...

    def count(self, model_id: int) -> int: ...
    def search(
        self,
        where: Sequence[Comparison],
        order: Sequence[Order],
        limit: int,
        after: Position | None,
    ) -> Page[Version]:
        """A page that begins after a position; any order ends with the name and the number."""
        ...


@dataclass(frozen=True, slots=True)
class SlotNow:
    """A slot as it is now; without an id one that never held a version. An alias has a holder:
    the id and the number of a version."""

    key: SlotKey
    id: int | None = None
    epoch: int = 0
    holder: int | None = None
    number: int | None = None


class Slots(Protocol):
    def now(self, model_id: int, slot: SlotKey) -> SlotNow: ...
    def epoch(self, model_id: int, slot: SlotKey) -> int:
        """How often the slot has changed; 0 for one that never did."""
        ...

    def alias_holder(self, model_id: int, alias: str) -> int | None:
        """The version id an alias points to."""
        ...

    def change(
        self,
        model_id: int,
        was: SlotNow,
        *,
        leave: Sequence[int],
        enter: Sequence[int],
        at_ms: int,
        approved: bool = False,
        prior_id: int | None = None,
    ) -> int:
        """Ends the stays of `leave` in a slot, begins those of `enter`; returns its new epoch.

        `approved` and `prior_id` (the stay that a rollback would return to) are of those entered.
        """
        ...

    def last_stay(self, slot: SlotNow) -> Occupancy | None:
        """The stay that is open, else the one that ended last."""
        ...

    def open_stays(self, model_id: int, slot: SlotKey) -> list[Occupancy]: ...
    def stay(self, occupancy_id: int) -> Occupancy | None: ...
    def was_rolled_back(self, stay: Occupancy) -> bool:
        """Whether a stay ended because the slot went back to one before it."""
        ...

    def at(self, model_id: int, at_ms: int) -> list[Occupancy]:
        """Every stay that covered the moment."""
        ...

    def of_version(self, version_id: int, limit: int) -> list[Occupancy]:
        """Its stays: the open ones first, then the ended ones, each newest first."""
        ...
