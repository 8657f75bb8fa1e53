"""The commands of lifecycles: the stages of a model, and what time takes out of them."""

import json
from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import quote

import typer

from modelkeep.cli.client import Client, plain
from modelkeep.cli.options import DEFAULT_URL, Json, Url, User
from modelkeep.cli.telling import past_gates, show_table

_group = {"no_args_is_help": True, "rich_markup_mode": None}
lifecycle_app = typer.Typer(help="Show the stages of a model, and what leads where.", **_group)
retention_app = typer.Typer(
    help="See which versions are archived or deleted from view when their time is over; do it now.",
    **_group,
)

Model = Annotated[str | None, typer.Argument(metavar="[MODEL]", help="All models without it.")]


@lifecycle_app.command("show")
def show(model: str, url: Url = DEFAULT_URL, user: User = "", as_json: Json = False) -> None:
    """Draw a model's stages: what leads into each, what its gates ask, and who is there.

    \b
    modelkeep lifecycle show churn

    JSON: {"name", "models", "stages": [{"name", "is_known", "single", "displaced_to",
    "archive_after_days", "aliases", "ways", "versions", "newest"}], "production", "archived",
    "max_versions", "retention_days", "retired_from", "policy"}.
    """
    found = Client(url, user).get(f"/models/{quote(model, safe='')}/lifecycle")
    if as_json:
        print(json.dumps(found, indent=2))
        return
    of = ", ".join(found["models"]) or "every model that no other lifecycle claims"
    print(plain(f"{model} has the lifecycle {found['name']}, of {of}.\n"))
    for line in _drawing(found):
        print(plain(line))


def _drawing(found: dict[str, Any]) -> Iterator[str]:
    known = [stage for stage in found["stages"] if stage["is_known"]]
    width = max(len(stage["name"]) for stage in found["stages"])
    for stage in known:
        if stage is not known[0]:
            yield "    |" if stage["ways"] else "    :"
            yield "    v"
        yield f"  {stage['name']:<{width}}  {_who(stage)}{_facts(stage, found)}"
        for past in stage["emergencies"]:
            yield f"      ! version {past['version']}{past_gates({'emergency': past})}"
        for way in stage["ways"]:
            yield f"      <- {way['source']}"
            yield from (f"           {gate['name']}: {gate['asks']}" for gate in way["gates"])
    for stage in found["stages"]:
        if not stage["is_known"]:
            yield f"  {stage['name']:<{width}}  {_who(stage)}; the lifecycle has no such stage"
    yield "\nInto a stage without `<-` any other leads, unless that one lists its ways out."


def _who(stage: dict[str, Any]) -> str:
    count, newest = stage["versions"], stage["newest"]
    if count == 0:
        return "empty"
    return f"version {newest}" if count == 1 else f"{count} versions, {newest} the newest"


def _facts(stage: dict[str, Any], found: dict[str, Any]) -> str:
    facts = []
    if stage["name"] == found["production"]:
        facts.append("production")
    if stage["single"]:
        facts.append(f"holds one; whom it displaces goes to {stage['displaced_to']}")
    if stage["archive_after_days"]:
        facts.append(f"archived after {stage['archive_after_days']} days")
    facts += [f"@{alias} follows" for alias in stage["aliases"]]
    return f"  ({'; '.join(facts)})" if facts else ""


def list_all(lifecycles: list[dict[str, Any]]) -> None:
    """One line a lifecycle, in the order in which they claim models."""
    for found in lifecycles:
        of = ", ".join(found["models"]) or "all other models"
        stages = " -> ".join(stage["name"] for stage in found["stages"])
        print(plain(f"  lifecycle     {found['name']} ({of}): {stages}"))


@retention_app.command("plan")
def plan(
    model: Model = None, url: Url = DEFAULT_URL, user: User = "", as_json: Json = False
) -> None:
    """Say which versions are due to be archived or deleted from view, and which are kept, and why.

    \b
    modelkeep retention plan
    modelkeep retention plan churn --json

    The server does it every hour, from a day after the policy was applied on. Deleted versions are
    gone from view for good; their past stays in the journal and their bytes on the disk. JSON:
    [{"model", "lifecycle", "due": [{"version", "stage", "action", "why", "kept"}], "complete"}].
    """
    found = Client(url, user).get("/retention", model=model)
    _tell(found, as_json, "Nothing is due.")


@retention_app.command("run")
def run(
    model: Model = None, url: Url = DEFAULT_URL, user: User = "", as_json: Json = False
) -> None:
    """Do what is due now, at most a thousand versions, and say what was done.

    \b
    modelkeep retention run churn

    JSON: [{"model", "lifecycle", "due": [{"version", "stage", "action", "why", "kept"}],
    "complete"}].
    """
    found = Client(url, user).post("/retention/runs", {"model": model})
    _tell(found, as_json, "Nothing was due.")


def _tell(found: list[dict[str, Any]], as_json: bool, nothing: str) -> None:
    rows = [
        [f"{plan['model']}/{due['version']}", due["stage"],
         f"kept: {due['kept']}" if due["kept"] else due["action"], due["why"]]
        for plan in found for due in plan["due"]
    ]  # fmt: skip
    show_table(("version", "stage", "what", "because"), rows, found, as_json, nothing)
    if not as_json and not all(plan["complete"] for plan in found):
        print("There is more; do it again.")
