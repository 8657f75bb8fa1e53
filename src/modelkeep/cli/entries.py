"""How an entry of the journal is shown: one line, of what happened to what, by whom, and why."""

import json
from collections.abc import Iterator
from typing import Any

from modelkeep.cli.client import plain

_SAID = ("reason", "comment", "denial", "label")


def show_entries(entries: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(entries, indent=2))
        return
    for entry in entries:
        print(plain(line(entry)))


def line(entry: dict[str, Any]) -> str:
    """As `     7  2026-…Z  version:stage:changed  churn/3  by ann  3: None -> Staging  …`."""
    texts = entry["texts"]
    who = texts.get("actor", entry["actor"]["kind"])
    if "actor_account" in texts:
        who += f" of account {texts['actor_account']}"
    moves = ", ".join(
        f"{before['version']}: {before['stage']} -> {after['stage']}"
        for before, after in zip(
            entry["pre"].get("stages", ()), entry["post"].get("stages", ()), strict=False
        )
    )
    slots = ", ".join(f"{s['slot']}@{s['epoch']}" for s in entry["post"].get("slots", ()))
    facts = ", ".join(_facts(entry))
    said = "; ".join(f"{n}: {texts[n]}" for n in _SAID if n in texts)
    parts = (subject(entry), f"by {who}", moves, slots, facts, said)
    return f"{entry['index']:>6}  {entry['t']}  {entry['act']}  " + "  ".join(p for p in parts if p)


def subject(entry: dict[str, Any]) -> str:
    """What an entry is about."""
    thing, texts = entry["obj"], entry["texts"]
    noun = entry["act"].partition(":")[0]
    if noun in ("account", "grant", "token"):
        whose = entry.get("account") or (
            f"account {thing['account']}" if "account" in thing else ""
        )
        return _token(entry, whose) if noun == "token" else whose
    if noun == "policy":
        return f"policy revision {thing['revision']}"
    if noun == "upload":
        return f"upload {thing['upload']}"
    if noun == "resource":
        return f"{thing['kind']} {thing['name']}"
    if noun == "store":
        return thing.get("folder") or f"{entry['post']['count']} files of the artifact store"
    if noun == "journal":
        return f"origin {thing['origin']}"
    named = thing.get("name") or texts.get("name") or thing.get("webhook", "")
    return f"{named}/{thing['version']}" if "version" in thing else named


def _token(entry: dict[str, Any], whose: str) -> str:
    ids = [id for id in (entry["obj"].get("token"), *entry["post"].get("revoked", ())) if id]
    return f"token {', '.join(ids)}" + (f" of {whose}" if whose else "")


def _facts(entry: dict[str, Any]) -> Iterator[str]:
    before, after, why = entry["pre"], entry["post"], entry["why"]
    if "name" in before:
        yield f"now {after['name']}"
    if "semver" in after:
        yield f"semver {after['semver']}"
    if "target" in after:
        yield f"to {after['target']}"
    if "request" in entry["obj"]:
        yield f"request {entry['obj']['request']}"
    if "verdict" in after:
        yield after["verdict"]
    for asked in after.get("requests", ()):
        yield f"request {asked['id']} {asked['status']}"
    yield from _whence(why)
    if "emergency" in after:
        found = after["emergency"]
        said = found.get("status", "PAST ITS GATES, a review is owed")
        yield f"emergency {found['id']}: {said}"
    if "document" in after:
        yield f"document {after['document']['name']} revision {after['document']['revision']}"
    if "resource" in entry["obj"] and "revision" in after:
        yield f"revision {after['revision']} {after['status']}".rstrip()
    if after.get("replacement"):
        yield f"use {after['replacement']} instead"
    if "role" in after:
        yield f"{after['role']} on {after['scope']}"
    if entry["act"] == "journal:origin:forked":
        yield f"{before['origin']} is {after['name']} from here on"
    yield from (f"of {of['name']}/{of['version']}" for of in why.get("packages", ()))
    yield from (f"{g['gate']} {g['outcome']}" for g in why.get("gates", ()))
    yield from (f"tag {key}" for key in after.get("tags", ()))
    yield from (f"tag {key} removed" for key in after.get("untagged", ()))


def _whence(why: dict[str, Any]) -> Iterator[str]:
    """What server or rule it comes from, if it does."""
    if "imported" in why:
        yield f"from {why['imported']['from']}"
    if "retention" in why:
        yield f"by {why['retention']['rule']}: {why['retention']['limit']}"
