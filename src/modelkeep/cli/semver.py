"""What differs between two versions, and asking for a higher semantic version."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from modelkeep.cli import tables
from modelkeep.cli.client import Client
from modelkeep.cli.contests import number
from modelkeep.cli.options import DEFAULT_URL, Json, Url, User, Which, address, split
from modelkeep.cli.tables import Column, brief, size

VALUE_CHARS = 60
FILES_SHOWN = 200

_KINDS = {
    "metrics": "metric",
    "params": "param",
    "tags": "tag",
    "datasets": "data set",
    "facts": "",
}


def diff(
    version: Which,
    later: Annotated[
        str | None, typer.Argument(metavar="[MODEL/VERSION]", help="The later one.")
    ] = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Say what changed from one version to another, and which semantic version that calls for.

    \b
    modelkeep diff churn/2 churn/3
    modelkeep diff churn@champion churn/latest
    modelkeep diff churn/1.5.0              why it has this number: since the one before it

    Major: an input or param is gone, retyped or newly required, the outputs changed, a class is
    gone, or one side says nothing. Minor: a new optional input or param, a new class, other
    features, another architecture. Patch: none of these. JSON: {"before", "after", "bump",
    "reasons": [{"bump", "message"}], "number", "files": {"added", "removed", "changed", "same"},
    "metrics": [{"name", "before", "after"}], "params", "tags", "datasets", "facts"}.
    """
    if later is None:
        found = Client(url, user).get(f"{address(version)}/diff")
    else:
        model, which = split(version)
        path = f"{address(later)}/diff"
        found = Client(url, user).get(path, **{"with": which, "model": model})
    if as_json:
        print(json.dumps(found, indent=2))
        return
    for line in _told(found):
        print(tables.plain(line))
    _show_values(found)


def bump(
    version: Which,
    to: Annotated[str | None, typer.Option("--to", help="The number, as in 2.0.0.")] = None,
    major: Annotated[bool, typer.Option("--major", help="The next major one.")] = False,
    minor: Annotated[bool, typer.Option("--minor", help="The next minor one.")] = False,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Give a version a higher semantic version than its changes call for; less is refused.

    \b
    modelkeep versions bump churn/3 --to 2.0.0
    modelkeep versions bump churn/latest --minor

    --major and --minor count from the version before it. It can be done once, and not after the
    version was in Production or in a stage that the policy guards. JSON: the version.
    """
    if (to is not None) + major + minor != 1:
        raise typer.BadParameter("Give one of --to, --major and --minor.")
    wish = {"to": to, "bump": "major" if major else "minor" if minor else None}
    found = Client(url, user).post(f"{address(version)}/semver", wish)
    told = f"{found['model']}/{found['version']} is {found['semver']}."
    print(json.dumps(found, indent=2) if as_json else tables.plain(told))


def _told(found: dict[str, Any]) -> Iterator[str]:
    """What changed in the contract, what the number says of it, and the files."""
    before, after = found["before"], found["after"]
    yield f"{_name(before)} -> {_name(after)}: {found['bump']}"
    for reason in found["reasons"]:
        yield f"  {reason['bump']:<5}  {reason['message']}"
    if not found["reasons"]:
        yield "  The contract is the same."
    claim = f" claims {brief(after['claim'], VALUE_CHARS)}," if after["claim"] is not None else ""
    yield f"{after['model']}/{after['version']}{claim} {found['number']['sentence']}."
    yield from _files(found["files"])


def _name(version: dict[str, Any]) -> str:
    return f"{version['model']}/{version['version']} ({version['semver']})"


def _files(files: dict[str, Any] | None) -> Iterator[str]:
    if files is None:
        yield "Files: not compared, as the bytes of one of them are not held here."
        return
    lines = [f"  + {f['path']}  {size(f['size_bytes'])}" for f in files["added"]]
    lines += [f"  - {f['path']}  {size(f['size_bytes'])}" for f in files["removed"]]
    lines += [
        f"  ~ {f['path']}  {size(f['before']['size_bytes'])} -> {size(f['after']['size_bytes'])}"
        for f in files["changed"]
    ]
    yield f"Files: {len(lines)} differ, {files['same']} are the same."
    yield from lines[:FILES_SHOWN]
    if len(lines) > FILES_SHOWN:
        yield f"  and {len(lines) - FILES_SHOWN} more; see --json"


def _show_values(found: dict[str, Any]) -> None:
    rows = [
        [kind or row["name"], row["name"] if kind else "", _value(row["before"]),
         _value(row["after"])]
        for key, kind in _KINDS.items()
        for row in found[key]
    ]  # fmt: skip
    if rows:
        heads = (_name(found["before"]), _name(found["after"]))
        columns = (Column(""), Column("Name", least=12), *(Column(h, least=12) for h in heads))
        tables.show(columns, rows)


def _value(value: Any) -> str:
    return brief(value, VALUE_CHARS) if isinstance(value, str) else number(value)
