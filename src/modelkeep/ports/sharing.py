"""Rows of the policies of groups: what other accounts may do with one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class GroupPolicy:
    """A JSON document as it was given."""

    body: str
    sha256: str
    set_by: str
    set_ms: int


@dataclass(frozen=True, slots=True)
class SharedGroup:
    """A group with a policy, and that."""

    model_id: int
    name: str
    tags: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Among:
    """The models, by their ids, that are there at all for a caller, and those of which there are
    the bytes, whatever their grants say of more."""

    models: tuple[int, ...]
    bytes: tuple[int, ...]


class GroupPolicies(Protocol):
    def get(self, model_id: int) -> GroupPolicy | None: ...

    def put(self, model_id: int, policy: GroupPolicy, accounts: Iterable[str]) -> None:
        """With the accounts that it lets do anything, as `Policy.accounts` has them."""
        ...

    def delete(self, model_id: int) -> bool: ...

    def shared(self, account: str, handle: str | None, limit: int) -> list[SharedGroup]:
        """The living groups whose policies may let an account do something; of them the one with a
        handle, if it is given."""
        ...
