"""Semantic versions of models: what a number is, how one is asked for, and what a change costs.

Numbers are releases of Semantic Versioning 2.0.0 (https://semver.org): MAJOR.MINOR.PATCH, from
1.0.0 on. A pre-release is no number here: what is not released yet is said by a stage.

A change of the contract between two versions calls for a *bump*:

* major: an input or param is gone, of another type or newly required; anything about the outputs
  changed; a class is gone or, where classes are known by their places, has another; the model
  can no longer be loaded as a Python function; and wherever one side says nothing;
* minor: a new optional input or param, another default, a new class, other features, another
  architecture;
* patch: none of these, as after a retraining.

Whoever takes two steps is asked for no less than who takes both at once.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from modelkeep.domain.contracts import LOADER, Contract, Field
from modelkeep.domain.errors import InvalidInput

TAG = "semantic_version"  # the version's tag in which MLflow's users write a number
PART_LIMIT = 10**9  # of a number that is asked for
SHOWN_REASONS = 5
NAME_CHARS = 100

# The grammar of semver.org, with the `v` that many write before it.
_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_PART = r"(0|[1-9][0-9]{0,9})"
_NUMBER = re.compile(rf"[vV]?{_PART}\.{_PART}\.{_PART}(-{_IDENTIFIERS})?(?:\+{_IDENTIFIERS})?")
_RANGE = re.compile(rf"([~^])[vV]?{_PART}(?:\.{_PART}(?:\.{_PART})?)?")
_SHORT = re.compile(rf"[vV]?{_PART}\.{_PART}|[vV]{_PART}")


class Bump(IntEnum):
    """How much a change asks of a number; the greater is the more."""

    PATCH = 0
    MINOR = 1
    MAJOR = 2

    def __str__(self) -> str:
        return self.name.lower()


class Semver(NamedTuple):
    """A number. Numbers compare as their parts do."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    def after(self, bump: Bump) -> "Semver":
        """The next number that makes good this bump."""
        if bump is Bump.MAJOR:
            return Semver(self.major + 1, 0, 0)
        if bump is Bump.MINOR:
            return Semver(self.major, self.minor + 1, 0)
        return Semver(self.major, self.minor, self.patch + 1)


FIRST = Semver(1, 0, 0)


# -- reading -------------------------------------------------------------------------------------


def parse(text: str) -> Semver:
    """`1.4.0` or `v1.4.0`; what follows a `+` counts for nothing (SemVer 2.0.0, item 10).

    Raises InvalidInput, also for a pre-release.
    """
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise InvalidInput(
            f"'{text[:NAME_CHARS]}' is no semantic version; write it as 1.4.0 or v1.4.0."
        )
    if found[4]:
        raise InvalidInput(
            f"'{text[:NAME_CHARS]}' is a pre-release, and versions are numbered by releases; a "
            "stage says what is not released yet."
        )
    return Semver(int(found[1]), int(found[2]), int(found[3]))


def says(text: str, number: Semver) -> bool:
    """Whether a text is this number, be it written with a `v` or not."""
    try:
        return parse(text.strip()) == number
    except InvalidInput:
        return False


def wanted(text: str) -> tuple[Semver, Semver] | None:
    """The numbers that a text asks for, from the first to below the second: `1.4.0`, `~1.4` (any
    patch of 1.4), `^1.2` (1.2.0 or later, below 2.0.0). None if it is not of this kind.

    Raises InvalidInput for one that lacks a part or is a pre-release.
    """
    if found := _RANGE.fullmatch(text):
        parts = [int(part) for part in found.groups()[1:] if part is not None]
        low = Semver(*(*parts, 0, 0)[:3])
        is_wide = found[1] == "^" or len(parts) == 1
        return low, low.after(Bump.MAJOR if is_wide else Bump.MINOR)
    if _SHORT.fullmatch(text):
        plain = text.lstrip("vV")
        whole = ".".join((plain + ".0.0").split(".")[:3])
        raise InvalidInput(
            f"'{text}' names no version: write ~{plain} for the newest that begins so, or "
            f"{whole} for that one."
        )
    if _NUMBER.fullmatch(text):
        number = parse(text)
        return number, number.after(Bump.PATCH)
    return None


# -- judging -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reason:
    """One difference in a sentence's part (`input 'age' is gone`), and what it calls for."""

    bump: Bump
    message: str


@dataclass(frozen=True, slots=True)
class Change:
    """What changed between two versions, and the bump that it calls for. No reason: a patch."""

    bump: Bump
    reasons: tuple[Reason, ...] = ()

    def __str__(self) -> str:
        """The reasons that call for this bump, as a sentence's part."""
        decisive = [r.message for r in self.reasons if r.bump is self.bump]
        more = len(decisive) - SHOWN_REASONS
        shown = "; ".join(decisive[:SHOWN_REASONS]) + (f"; and {more} more" if more > 0 else "")
        return shown or "the contract is the same"


def required_bump(before: Contract | None, after: Contract | None) -> Change:
    """The least bump that is honest from one contract to another; None is an unknown one."""
    if before is None and after is None:
        return _NOTHING_KNOWN
    before, after = before or Contract(), after or Contract()
    reasons = (
        *_schemas(before, after),
        *_params(before, after),
        *_architecture(before.architecture, after.architecture),
        *_classes(before, after),
        *_features(before.features, after.features),
    )
    return Change(max((reason.bump for reason in reasons), default=Bump.PATCH), reasons)


_NOTHING_KNOWN = Change(
    Bump.MAJOR,
    (Reason(Bump.MAJOR, "neither version says what its inputs and outputs are"),),
)


def _major(message: str) -> Reason:
    return Reason(Bump.MAJOR, message)


def _minor(message: str) -> Reason:
    return Reason(Bump.MINOR, message)


def _named(what: str, name: str) -> str:
    return f"{what} '{name if len(name) <= NAME_CHARS else name[:NAME_CHARS] + '…'}'"


def _schemas(before: Contract, after: Contract) -> Iterator[Reason]:
    for what in ("inputs", "outputs"):
        sides = {"the version before": getattr(before, what), "this one": getattr(after, what)}
        silent = [side for side, said in sides.items() if said is None]
        if silent:
            yield _major(f"{' and '.join(silent)} does not say what its {what} are")
    if before.inputs is not None and after.inputs is not None:
        yield from _inputs(before.inputs, after.inputs)
    if before.outputs is not None and after.outputs is not None:
        yield from _outputs(before.outputs, after.outputs)


Fields = Mapping[str, Field]


def _inputs(before: Fields, after: Fields, above: str = "") -> Iterator[Reason]:
    for name, field in before.items():
        now = after.get(name)
        if field == now:
            continue
        shown = _named("input", above + name)
        if now is None:
            yield _major(f"{shown} is gone")
            continue
        if now.required and not field.required:
            yield _major(f"{shown} is required now")
        if field.required and not now.required:
            yield _minor(f"{shown} is optional now")
        if field.kind != now.kind:
            yield _major(f"{shown} is {now.kind} now, and was {field.kind}")
        else:
            yield from _inputs(field.parts, now.parts, f"{above}{name}.")
    for name, field in after.items():
        if name not in before:
            shown = _named("input", above + name)
            yield (
                _major(f"{shown} is new and required")
                if field.required
                else _minor(f"{shown} is new and optional")
            )


def _outputs(before: Fields, after: Fields, above: str = "") -> Iterator[Reason]:
    """Whatever reads an answer may stumble over anything that is different in it."""
    for name, field in before.items():
        shown = _named("output", above + name)
        now = after.get(name)
        if now is None:
            yield _major(f"{shown} is gone")
        elif field.kind != now.kind:
            yield _major(f"{shown} is {now.kind} now, and was {field.kind}")
        elif field.required != now.required:
            yield _major(f"{shown} is {'always' if now.required else 'not always'} there now")
        else:
            yield from _outputs(field.parts, now.parts, f"{above}{name}.")
    for name in after:
        if name not in before:
            yield _major(f"{_named('output', above + name)} is new")
    if not above and before.keys() == after.keys() and list(before) != list(after):
        yield _major("the outputs come in another order")


def _params(before: Contract, after: Contract) -> Iterator[Reason]:
    for name, param in before.params.items():
        shown, now = _named("param", name), after.params.get(name)
        if now is None:
            yield _major(f"{shown} is gone")
        elif param.kind != now.kind:
            yield _major(f"{shown} is {now.kind} now, and was {param.kind}")
        elif param.default != now.default:
            yield _minor(f"{shown} has another default")
    for name in after.params:
        if name not in before.params:
            yield _minor(f"{_named('param', name)} is new")


def _architecture(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Reason]:
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if name == LOADER and was is not None and now is None:
            yield _major("it can no longer be loaded as a Python function")
        elif was != now:
            yield _minor(f"{name} is {now or 'not said'} now, and was {was or 'not said'}")


def _classes(before: Contract, after: Contract) -> Iterator[Reason]:
    if before.classes is None or after.classes is None:
        if before.classes is not None:
            yield _major("it no longer says which classes it knows")
        elif after.classes is not None:
            yield _minor("it says which classes it knows")
        return
    places = {name: place for place, name in enumerate(after.classes)}
    for place, name in enumerate(before.classes):
        shown, now = _named("class", name), places.get(name)
        if now is None:
            yield _major(f"{shown} is gone")
        elif now != place and not after.answers_in_words:
            yield _major(f"{shown} is number {now} now, and was {place}")
    known = set(before.classes)
    yield from (_minor(f"{_named('class', n)} is new") for n in after.classes if n not in known)


def _features(before: Sequence[str] | None, after: Sequence[str] | None) -> Iterator[Reason]:
    was, now = set(before or ()), set(after or ())
    for name in sorted(was - now):
        yield _minor(f"{_named('feature', name)} is not used any more")
    for name in sorted(now - was):
        yield _minor(f"{_named('feature', name)} is used now")
