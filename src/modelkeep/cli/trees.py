"""How `modelkeep lineage` shows where a version comes from: as a tree."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from modelkeep.cli import tables
from modelkeep.cli.contests import number
from modelkeep.cli.tables import BOLD, brief, moment, size
from modelkeep.cli.telling import past_gates

VALUE_CHARS = 200  # of a tag or a param; --json has all of it
_DRAWN = ("├─ ", "└─ ", "│  ", "   ")
_TYPED = ("|- ", "`- ", "|  ", "   ")


@dataclass(frozen=True, slots=True)
class Branch:
    """A line of a tree, and what hangs from it."""

    text: str
    below: Sequence["Branch"] = ()


def draw(root: Branch) -> Iterator[str]:
    """The lines of a tree. The texts are others' and are made harmless here."""
    fork, last, pipe, blank = _DRAWN if _shows("├") else _TYPED

    def lines(branches: Sequence[Branch], indent: str) -> Iterator[str]:
        for index, branch in enumerate(branches):
            is_last = index == len(branches) - 1
            yield f"{indent}{last if is_last else fork}{_painted(branch)}"
            yield from lines(branch.below, indent + (blank if is_last else pipe))

    yield tables.paint(_harmless(root.text), BOLD)
    yield from lines(root.below, "")


def _shows(character: str) -> bool:
    try:
        character.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _painted(branch: Branch) -> str:
    text = _harmless(branch.text)
    return tables.paint(text, BOLD) if branch.below else text


def _harmless(text: str) -> str:
    return tables.plain(text).replace("\n", " ")


def show_lineage(found: dict[str, Any]) -> None:
    version = found["version"]
    parts = [
        _version(found),
        _bytes(found),
        *_run(found),
        _group("Copies", [*_copy_of(found), *(f"to {_name(v)}" for v in found["copies"])]),
        *_served(found["served"]),
        _approvals(found["approvals"]),
    ]
    root = f"Model Lineage for {version['model']} v{version['version']}"
    for line in draw(Branch(root, [part for part in parts if part])):
        print(line)


def _version(found: dict[str, Any]) -> Branch:
    version = found["version"]
    facts = {
        "Semantic Version": _semver(found),
        "Stage": version["stage"],
        "EMERGENCY": version["emergency"] or "",
        "State": _state(version),
        "Aliases": ", ".join(version["aliases"]),
        "Created": f"{moment(version['created'], seconds=True)} by {version['author']}",
        "Description": brief(version["description"], VALUE_CHARS),
        "Source": version["source"],
    }
    tags = _pairs("Tags", version["tags"])
    return Branch(f"Version {version['version']}", [*_facts(facts), *([tags] if tags else [])])


def _state(version: dict[str, Any]) -> str:
    """Nothing of an active one."""
    ending = version["ending"]
    if ending is None:
        return ""
    blocks = f" It is blocked from {ending['blocks']} on." if ending["blocks"] else ""
    return f"{ending['warning']}{blocks} (by {ending['by']}, {ending['since']})"


def _semver(found: dict[str, Any]) -> str:
    number, claim = found["version"]["semver"], found["version"]["claim"]
    if claim is None:
        return number
    return f"{number}; claims {brief(claim, VALUE_CHARS)}, {found['semver']['sentence']}"


def _bytes(found: dict[str, Any]) -> Branch:
    digest = found["version"]["manifest"]
    if digest is None:
        return Branch("Bytes: unverified, not held here")
    return Branch(f"Bytes: {digest} ({found['files']} files, {size(found['size_bytes'])})")


def _run(found: dict[str, Any]) -> Iterator[Branch | None]:
    logged, run, parent = found["logged_model"], found["run"], found["parent_run"]
    if logged:
        gone = ", deleted since" if logged["deleted"] else ""
        yield Branch(f"Logged model: {logged['id']} ({logged['name']}{gone})")
    if run is None:
        yield Branch(f"Run: {found['version']['run'] or 'none'}")
        return
    facts = {
        "Run ID": run["id"] + (" (deleted)" if run["lifecycle"] == "deleted" else ""),
        "Run Name": run["name"],
        "Experiment ID": f"{run['experiment_id']} ({run['experiment']})",
        "Start Time": moment(run["started"], seconds=True),
        "Status": run["status"],
        "User": run["user"],
        "Git Commit": run["git_commit"] or "",
        "Parent Run": f"{parent['id']} ({parent['name']})" if parent else "",
    }
    own = {key: value for key, value in run["tags"].items() if not key.startswith("mlflow.")}
    metrics = {name: number(value) for name, value in run["metrics"].items()}
    groups = (
        _pairs("Parameters", run["params"]),
        _pairs("Metrics", metrics),
        _pairs("Tags", own),
    )
    yield Branch("Run Information", [*_facts(facts), *filter(None, groups)])
    yield _group("Data Sets", [_dataset(dataset) for dataset in run["datasets"]])


def _dataset(dataset: dict[str, str]) -> str:
    context = f" ({dataset['context']})" if dataset["context"] else ""
    source = f" from {brief(dataset['source'], VALUE_CHARS)}" if dataset["source"] else ""
    return f"{dataset['name']} {dataset['digest']}{context}{source}"


def _copy_of(found: dict[str, Any]) -> list[str]:
    return [f"from {_name(found['copy_of'])}"] if found["copy_of"] else []


def _served(stays: list[dict[str, Any]]) -> Iterator[Branch | None]:
    now = [
        f"{s['slot']} since {moment(s['since'])}{past_gates(s)}" for s in stays if not s["until"]
    ]
    before = [
        f"{s['slot']} from {moment(s['since'])} to {moment(s['until'])}{past_gates(s)}"
        for s in stays
        if s["until"]
    ]
    yield _group("Serves Now", now)
    yield _group("Served Before", before)


def _approvals(approvals: list[dict[str, Any]]) -> Branch | None:
    branches = []
    for asked in (approval["request"] for approval in approvals):
        reason = f": {asked['reason']}" if asked["reason"] else ""
        text = f"Request {asked['id']}, {asked['status']}: {asked['source']} -> {asked['target']}"
        text += f", asked by {asked['requested_by']} {moment(asked['created'])}{reason}"
        branches.append(text)
    votes = [
        [Branch(f"{v['verdict']} by {v['voter']} {moment(v['at'])}  {v['comment']}".rstrip())
         for v in approval["votes"]]
        for approval in approvals
    ]  # fmt: skip
    below = [Branch(text, cast) for text, cast in zip(branches, votes, strict=True)]
    return Branch("Approvals", below) if below else None


def _facts(facts: dict[str, str]) -> list[Branch]:
    return [Branch(f"{name}: {text}") for name, text in facts.items() if text]


def _pairs(title: str, pairs: dict[str, str]) -> Branch | None:
    return _group(title, [f"{k}: {brief(v, VALUE_CHARS)}" for k, v in sorted(pairs.items())])


def _group(title: str, texts: list[str]) -> Branch | None:
    return Branch(title, [Branch(text) for text in texts]) if texts else None


def _name(version: dict[str, Any]) -> str:
    return f"{version['model']}/{version['version']} ({version['stage']})"
