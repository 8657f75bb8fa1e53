"""Models, versions, stages and slots, and what a move between stages does to each.

A *slot* is a named pointer with an epoch: an alias, or a stage. Every change of what it holds
raises its epoch by one, so that a caller who read it before can tell that it moved.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from modelkeep.domain.endings import NO_ENDING, Ending
from modelkeep.domain.semver import TAG, Semver, says

NO_STAGE = "None"
PRODUCTION = "Production"
ARCHIVED = "Archived"
STAGES = (NO_STAGE, "Staging", PRODUCTION, ARCHIVED)  # MLflow's, where no policy names others
LATEST = "latest"  # the alias that every model has: its highest number
PROMPT_TAG = "mlflow.prompt.is_prompt"  # set to "true" on the models that hold prompts
READY, PENDING, FAILED = "READY", "PENDING_REGISTRATION", "FAILED_REGISTRATION"  # MLflow's words
DELETED = "Deleted_Internal"  # the stage that MLflow shows of a deleted version


def is_prompt(tags: Mapping[str, str]) -> bool:
    """Whether these are the tags of a prompt, which MLflow keeps as a model or its version."""
    return tags.get(PROMPT_TAG, "").lower() == "true"


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model. Times are milliseconds since the epoch, UTC."""

    id: int
    name: str
    description: str
    created_ms: int
    updated_ms: int
    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)  # alias -> version number


class Version(msgspec.Struct, frozen=True):
    """One version of a model: its bytes (`manifest`, a digest) or, unverified, only a label.

    `source` is what the client gave, verbatim and never opened. `manifest` is `sha256:<hex>` or
    None when the server does not hold the bytes. `semver_fixed`: somebody asked for this number.
    `status`: PENDING until bytes that did not come through the server are hashed.

    A frozen dataclass takes twenty times as long to make, and a page has a hundred of these.
    """

    id: int
    model_id: int
    model_name: str
    number: int
    source: str
    run_id: str | None
    logged_model_id: str | None
    run_link: str | None
    description: str
    stage: str
    manifest: str | None
    author: str
    created_ms: int
    updated_ms: int
    semver: Semver
    semver_fixed: bool
    deleted: bool = False
    ending: Ending = NO_ENDING
    tags: dict[str, str] = {}
    aliases: tuple[str, ...] = ()
    status: str = READY
    status_message: str = ""

    @property
    def claim(self) -> str | None:
        """The semantic version that its tag claims, if that is not its number."""
        claimed = self.tags.get(TAG)
        return None if claimed is None or says(claimed, self.semver) else claimed

    @property
    def warning(self) -> str:
        """What whoever loads it should know; empty unless it is deprecated, blocked or retired."""
        return self.ending.told(self.model_name, self.number)

    @property
    def notice(self) -> str:
        """What is to be known of it: why it failed, else `warning`, else why its files were not
        taken in."""
        if self.status != READY and self.status_message:
            return self.status_message
        return self.warning or self.status_message

    @property
    def subject(self) -> str:
        """What a decision about this version binds: its bytes, or its id and label."""
        return self.manifest or f"label:{self.id}:{self.source}"


@dataclass(frozen=True, slots=True)
class SlotKey:
    """Names a slot of one model. `kind` is "stage" or "alias"."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class Move:
    """One version (by id) goes from a stage to a stage."""

    version_id: int
    source: str
    target: str
