"""What a policy lets models be called.

Patterns come from whoever may write a policy and run on names that anyone may send, so they are
matched by RE2, in time linear in the name, and never by a backtracking engine.
"""

from dataclasses import dataclass, field
from typing import Any

import re2

from modelkeep.domain.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Naming:
    """What models may be called: a regular expression (RE2 syntax), a length in characters."""

    pattern: str | None = None
    max_length: int | None = None
    _compiled: Any = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, pattern: str | None, max_length: int | None, path: str = "pattern") -> "Naming":
        """InvalidInput, with `path`, for a pattern that RE2 cannot take."""
        if pattern is None:
            return cls(None, max_length)
        options = re2.Options()
        options.log_errors = False
        try:
            return cls(pattern, max_length, re2.compile(pattern, options))
        except re2.error as error:
            why = error.args[0]
            why = why.decode(errors="replace") if isinstance(why, bytes) else str(why)
            raise InvalidInput(
                f"{path}: RE2 cannot take this regular expression: {why}."
            ) from error

    def objection(self, name: str) -> str | None:
        """Why a model must not have this name, as a sentence; None if it may.

        The pattern is searched for, so that anchors are the policy's own. A line break never
        conforms, or `(?m)^…$` would take a name of two lines for one.
        """
        if self.max_length is not None and len(name) > self.max_length:
            return (
                f"Model name '{name}' has {len(name)} characters; "
                f"the policy allows {self.max_length}."
            )
        if self._compiled is None:
            return None
        if len(f"{name}.".splitlines()) == 1 and self._compiled.search(name):
            return None
        return f"Model name '{name}' does not match the policy's pattern '{self.pattern}'."
