"""Rows of the policies of groups: what other accounts may do with one."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class GroupPolicy:
    """A JSON document as it was given."""

    body: str
    sha256: str
    set_by: str
    set_ms: int


class GroupPolicies(Protocol):
    def get(self, model_id: int) -> GroupPolicy | None: ...
    def put(self, model_id: int, policy: GroupPolicy) -> None: ...
    def delete(self, model_id: int) -> bool: ...
