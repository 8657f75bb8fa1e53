"""How a lifecycle is read from its part of a policy document: the whole, or one of several."""

from types import MappingProxyType
from typing import Any

from modelkeep.domain import documents, names, stage_documents
from modelkeep.domain.documents import at
from modelkeep.domain.emergencies import LIMIT_HOURS, UNSAID, Terms
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.gates import READERS, Gate
from modelkeep.domain.lifecycles import DEFAULT, Lifecycle, Retention, Rule
from modelkeep.domain.likeness import skeleton
from modelkeep.domain.models import ARCHIVED, NO_STAGE, PRODUCTION
from modelkeep.domain.sections import Section
from modelkeep.domain.stage_documents import Stage

KEYS = (
    *("version_policy", "stage_transitions", "single", "aliases"),
    *("stages", "production", "archived", "rollback", "emergency"),
)
DEFAULT_ALIAS = "champion"  # follows the production stage, where that one is single

_ENTRY_KEYS = ("name", "models", *KEYS)

_Part = dict[str, Any]
_Rules = dict[tuple[str, str], Rule]
_Sections = list[Section]


def read(part: _Part, path: str, digest: str, sections: _Sections) -> Lifecycle:
    """The lifecycle that a part's `KEYS` describe; adds what it enforces to the sections.

    InvalidInput, with the path, for whatever is not as it should be.
    """
    written = stage_documents.read(part, path, sections)
    cycle = _frame(part, path, written, sections)
    retention = _retention(part, path, cycle, sections)
    rules = _rules(part, path, cycle, digest, sections)
    single = _single(part, path, cycle, rules, written, sections)
    found = Lifecycle(
        stages=cycle.stages,
        production=cycle.production,
        archived=cycle.archived,
        rules=MappingProxyType(rules),
        single=single,
        displaced=MappingProxyType(stage_documents.displaced(written, cycle)),
        archive_after_days=MappingProxyType(stage_documents.days(written, cycle, single)),
        aliases=MappingProxyType(_aliases(part, path, cycle, single, sections)),
        rollback=_rollback(part, path, sections),
        retention=retention,
        emergency=_emergency(part, path, sections),
        policy_digest=digest,
    )
    stage_documents.check_displaced(written, found)
    return found


def head(part: _Part, path: str, sections: _Sections) -> tuple[str, tuple[str, ...]]:
    """The name of one of several lifecycles, and the patterns of the models that it claims."""
    documents.mapping(part, path, _ENTRY_KEYS)
    for key in ("name", "models"):
        if key not in part:
            raise InvalidInput(f"{path}: the key '{key}' is required and not there.")
    here = at(path, "name")
    name = documents.checked(stage_documents.check_name, documents.text(part["name"], here), here)
    if name == DEFAULT:
        raise InvalidInput(f"{here}: '{DEFAULT}' is the lifecycle of all other models.")
    here = at(path, "models")
    patterns = tuple(item for _, item in documents.items(part["models"], here))
    too_long = next((p for p in patterns if len(p) > names.MODEL_NAME_LIMIT), None)
    if too_long:
        raise InvalidInput(f"{here}: '{too_long:.80}…' is longer than any model's name.")
    if not patterns:
        raise InvalidInput(f"{here}: name a model, or a pattern such as credit_*.")
    sections.append(Section(here, True, f"{name}: {', '.join(patterns)}"))
    return name, patterns


# -- stages ------------------------------------------------------------------------------------


def _frame(part: _Part, path: str, written: list[Stage], sections: _Sections) -> Lifecycle:
    """The stages alone, and which of them mean production and the archive."""
    stages = (NO_STAGE, *(stage.name for stage in written))
    cycle = Lifecycle(stages=stages)
    archived = _one_of(part, path, "archived", cycle, sections) or ARCHIVED
    production = _one_of(part, path, "production", cycle, sections) or PRODUCTION
    if production not in stages:
        raise InvalidInput(f"{path}: say under 'production' which of the stages means production.")
    if production == archived:
        raise InvalidInput(f"{path}: {archived} cannot be both production and the archive.")
    return Lifecycle(stages=stages, production=production, archived=archived)


def _one_of(part: _Part, path: str, key: str, cycle: Lifecycle, sections: _Sections) -> str | None:
    if key not in part:
        return None
    here = at(path, key)
    stage = documents.checked(cycle.stage_named, documents.text(part[key], here), here)
    if stage == NO_STAGE:
        raise InvalidInput(f"{here}: {NO_STAGE} is the absence of a stage.")
    sections.append(Section(here, True, f"means {stage}"))
    return stage


# -- what is kept of the versions ----------------------------------------------------------------


def _retention(part: _Part, path: str, cycle: Lifecycle, sections: _Sections) -> Retention:
    if "version_policy" not in part:
        return Retention()
    here = at(path, "version_policy")
    given = documents.mapping(
        part["version_policy"], here, ("max_versions", "retention_days", "archive_stages")
    )
    stages = (cycle.archived,)
    if "archive_stages" in given:
        listed = documents.items(given["archive_stages"], at(here, "archive_stages"))
        stages = tuple(documents.checked(cycle.stage_named, item, where) for where, item in listed)
    numbers = {
        key: documents.whole(given[key], at(here, key), 1)
        for key in ("max_versions", "retention_days")
        if key in given
    }
    sections.extend(_told(key, value, here, stages) for key, value in given.items())
    if not given:
        sections.append(Section(here, True, "asks for nothing"))
    return Retention(**numbers, stages=tuple(dict.fromkeys(stages)))


def _told(key: str, value: object, path: str, stages: tuple[str, ...]) -> Section:
    where = ", ".join(stages) or "no stage"
    notes = {
        "max_versions": f"beyond {value}, the oldest in {where} are deleted from view",
        "retention_days": f"after {value} days in {where}, versions are deleted from view",
        "archive_stages": where,
    }
    return Section(at(path, key), True, notes[key])


# -- transitions ---------------------------------------------------------------------------------


def _rules(part: _Part, path: str, cycle: Lifecycle, digest: str, sections: _Sections) -> _Rules:
    here = at(path, "stage_transitions")
    rules: _Rules = {}
    if "stage_transitions" not in part:
        return rules
    for written, gates in documents.mapping(part["stage_transitions"], here).items():
        ends = _transition(written, here, cycle)
        where = at(here, " -> ".join(ends))
        if ends in rules:
            raise InvalidInput(f"{where}: the transition is listed twice.")
        rules[ends] = Rule(*ends, _gates(gates, where, sections), digest)
    if not rules:
        sections.append(Section(here, True, "lists no transition"))
    return rules


def _transition(written: str, path: str, cycle: Lifecycle) -> tuple[str, str]:
    ends = written.split("->")
    if len(ends) != 2:
        raise InvalidInput(
            f"{path}: '{written:.80}' is no transition; the keys allowed here are of the form "
            "'Staging -> Production'."
        )
    here = at(path, written)
    source, target = (documents.checked(cycle.stage_named, e.strip(), here) for e in ends)
    if source == target:
        raise InvalidInput(f"{path}: '{written:.80}' leads from a stage to itself.")
    return source, target


def _gates(value: object, path: str, sections: _Sections) -> tuple[Gate, ...]:
    part = documents.mapping(value, path, READERS)
    read = {key: READERS[key](part[key], at(path, key)) for key in READERS if key in part}
    for key, gate in read.items():
        sections.append(Section(at(path, key), True, gate.asks() if gate else "not asked for"))
    if not part:
        sections.append(Section(path, True, "allowed, and asks for nothing"))
    return tuple(gate for gate in read.values() if gate is not None)


def _rollback(part: _Part, path: str, sections: _Sections) -> tuple[Gate, ...] | None:
    """The gates of every rollback; None if nothing is said of them."""
    here = at(path, "rollback")
    return _gates(part["rollback"], here, sections) if "rollback" in part else None


def _emergency(part: _Part, path: str, sections: _Sections) -> Terms:
    if "emergency" not in part:
        return UNSAID
    here = at(path, "emergency")
    given = documents.mapping(part["emergency"], here, ("review_hours", "then"))
    hours = None
    if "review_hours" in given:
        hours = documents.whole(given["review_hours"], at(here, "review_hours"), 1, LIMIT_HOURS)
        note = f"a review is due within {hours} hours"
        sections.append(Section(at(here, "review_hours"), True, note))
    then = documents.text(given.get("then", "flag"), at(here, "then"))
    if then not in _THEN:
        raise InvalidInput(f"{at(here, 'then')}: must be one of {', '.join(_THEN)}.")
    sections.append(Section(at(here, "then"), True, _THEN[then]))
    return Terms(hours, then == "roll_back")


_THEN = {
    "flag": "without a review in time, it is marked overdue",
    "roll_back": "without a review in time, or when it is faulted, the stage goes back",
}


def _single(
    part: _Part,
    path: str,
    cycle: Lifecycle,
    rules: _Rules,
    written: list[Stage],
    sections: _Sections,
) -> frozenset[str]:
    found = {rule.target for rule in rules.values() if rule.target == cycle.production}
    for stage in written:
        here = at(stage.path, "single")
        if "single" in stage.part and documents.truth(stage.part["single"], here):
            found.add(_many_refused(stage.name, here, cycle))
    if "single" not in part:
        return frozenset(found)
    here = at(path, "single")
    for where, item in documents.items(part["single"], here):
        stage = documents.checked(cycle.stage_named, item, where)
        found.add(_many_refused(stage, where, cycle))
    sections.append(Section(here, True, ", ".join(sorted(found))))
    return frozenset(found)


def _many_refused(stage: str, path: str, cycle: Lifecycle) -> str:
    if stage not in cycle.active:
        raise InvalidInput(f"{path}: {stage} always holds any number of versions.")
    return stage


def _aliases(
    part: _Part, path: str, cycle: Lifecycle, single: frozenset[str], sections: _Sections
) -> dict[str, str]:
    if "aliases" not in part:
        return {DEFAULT_ALIAS: cycle.production} if cycle.production in single else {}
    here = at(path, "aliases")
    aliases: dict[str, str] = {}
    for written, value in documents.mapping(part["aliases"], here).items():
        where = at(here, written)
        alias = documents.checked(names.check_alias, written, where)
        if double := next((a for a in aliases if skeleton(a) == skeleton(alias)), None):
            raise InvalidInput(f"{where}: '{alias}' reads like the alias '{double}'.")
        stage = documents.checked(cycle.stage_named, documents.text(value, where), where)
        if stage not in single:
            raise InvalidInput(
                f"{where}: an alias can follow only a stage that holds one version, and {stage} "
                f"is not one; list it under {path}.single."
            )
        aliases[alias] = stage
        sections.append(Section(where, True, f"follows {stage}"))
    if not aliases:
        sections.append(Section(here, True, "no alias follows a stage"))
    return aliases
