"""Random histories under random policies: nobody comes into a guarded stage unasked.

The journal of each history is read by a checker that shares nothing with the product: it knows the
policies as they were written, and asks of every move, alias, delete and rename what let it happen.

Some histories are played by use cases, on both databases, and some over HTTP, each step at one of
the doors that there are for it. MODELKEEP_HISTORIES sets how many of each (`make histories`).
"""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
import pytest

from modelkeep.domain.errors import ModelkeepError
from modelkeep.services import creation, policies, promotion, registry, voting
from modelkeep.services.promotion import Order
from modelkeep.site import build
from tests.support.core import ANN, BOB, ROB, Core

PEOPLE = {"ann": ANN, "bob": BOB, "rob": ROB}
STAGES = {
    "default": ["None", "Staging", "Production", "Archived"],
    "own": ["None", "Dev", "Test", "Prod", "Archived"],
    "odd": ["None", "Staging", "Prod", "Old"],
}
MEANS = {"default": ("Production", "Archived"), "own": ("Prod", "Archived"), "odd": ("Prod", "Old")}
ASKS: list[dict[str, Any]] = [{}, {"required_tags": ["x"]}, {"approval_required": True}]

STEPS = 90
MANY = 24  # from which on even what is rare has happened
HISTORIES = int(os.environ.get("MODELKEEP_HISTORIES", "0"))  # of each kind; 0 is a few
API, NATIVE = "/api/2.0/mlflow", "/api/v1"

# -- what happens ------------------------------------------------------------------------------


def lifecycle(chance: Random, name: str) -> dict[str, Any]:
    stages, (production, archived) = STAGES[name], MEANS[name]
    ends = [f"{a} -> {b}" for a in stages for b in stages if a != b]
    listed = {way: chance.choice(ASKS) for way in chance.sample(ends, chance.randrange(5))}
    into = f"{chance.choice(stages[:2])} -> {production}"
    part: dict[str, Any] = {"stage_transitions": listed, "production": production}
    if chance.random() < 0.8:
        listed.setdefault(into, chance.choice([*ASKS, ASKS[-1]]))
    if name != "default":
        part |= {"name": name, "models": [f"{name}_*"], "stages": stages[1:], "archived": archived}
    if chance.random() < 0.3:
        part["single"] = [stages[1]]
    return part


def document(chance: Random) -> dict[str, Any]:
    listed = [lifecycle(chance, name) for name in ("own", "odd")]
    return {"model_registry": lifecycle(chance, "default") | {"lifecycles": listed}}


ANY_STAGE = sorted({stage for stages in STAGES.values() for stage in stages})
USUAL = ["follow"] * 10 + ["vote"] * 6 + ["move"] * 3 + ["tag"] * 2 + ["back"] * 4 + ["point"] * 2
RARE = ["unpoint", "copy", "copy", "delete", "remove", "rename", "rename", "apply"]


def step(chance: Random) -> tuple[Any, ...]:
    kind, other = chance.choice(list(STAGES)), chance.choice(list(STAGES))
    number, stage = chance.randrange(1, 4), chance.choice(ANY_STAGE)
    alias = chance.choice(["champion", "champion", "best"])
    what = chance.choice(RARE if chance.random() < 0.15 else USUAL)
    facts: dict[str, tuple[Any, ...]] = {
        "follow": (kind, number, chance.randrange(10)),
        "vote": (chance.choice(["bob", "bob", "ann", "rob"]), chance.randrange(2)),
        "move": (kind, number, stage, chance.random() < 0.3),
        "tag": (kind, number),
        "back": (kind, chance.choice([None, None, stage])),
        "point": (kind, number, alias),
        "unpoint": (kind, alias),
        "copy": (kind, other, number),
        "delete": (kind, number),
        "remove": (kind,),
        "rename": (kind, other),
        "apply": (document(chance),),
    }
    return (what, *facts[what])


def play(work: Any, suffix: int, step: tuple[Any, ...]) -> None:
    def named(kind: str) -> str:
        return f"{kind}_{suffix}"

    match step:
        case "move", kind, number, stage, clear:
            order = Order(named(kind), number, stage, archive_existing=clear)
            promotion.request(work, ROB, order)
        case "follow", kind, number, place:
            version = registry.get_version(work, named(kind), number)
            cycle = policies.lifecycle_of(work, version.model_name)
            ways = [end for start, end in cycle.rules if start == version.stage]
            goal = ways[place % len(ways)] if ways else cycle.stages[place % len(cycle.stages)]
            promotion.request(work, ROB, Order(version.model_name, number, goal))
        case "vote", name, place:
            waiting = work.governance.pending()[place:]
            voting.vote(work, PEOPLE[name], waiting[0].id if waiting else 0, approves=True)
        case "point", kind, number, alias:
            promotion.set_alias(work, ROB, named(kind), alias, number)
        case "unpoint", kind, alias:
            promotion.delete_alias(work, ROB, named(kind), alias)
        case "tag", kind, number:
            registry.set_version_tag(work, ANN, named(kind), number, "x", "yes")
        case "copy", kind, other, number:
            draft = creation.Draft(named(kind), f"models:/{named(other)}/{number}")
            creation.create_version(work, ANN, draft)
        case "delete", kind, number:
            registry.delete_version(work, ANN, named(kind), number)
        case "remove", kind:
            registry.delete_model(work, ANN, named(kind))
        case "rename", kind, other:
            registry.rename_model(work, ANN, named(kind), named(other))
        case "back", kind, stage:
            promotion.roll_back(work, ROB, named(kind), "worse", stage=stage)
        case "apply", document:
            policies.apply(work, ROB, document, "")


async def happen(core: Core, suffix: int, steps: list[tuple[Any, ...]]) -> None:
    """Plays the steps in order, in a batch or a few; what is no possible step is none."""
    told = await asyncio.gather(
        *(core.app.write(play, suffix, step) for step in steps), return_exceptions=True
    )
    for outcome in told:
        if outcome is not None and not isinstance(outcome, ModelkeepError):
            raise outcome


# -- the same over HTTP ------------------------------------------------------------------------

Asked = tuple[str, str, str, Any]  # by whom, method, path, body


def wording(core: Core, chance: Random, suffix: int, step: tuple[Any, ...]) -> Asked:
    """A step as a call at one of its doors."""

    def named(kind: str) -> str:
        return f"{kind}_{suffix}"

    is_mlflow = chance.random() < 0.5
    match step:
        case "move", kind, number, stage, clear:
            return promotion_of(is_mlflow or clear, named(kind), number, stage, clear)
        case "follow", kind, number, place:
            return promotion_of(
                is_mlflow, named(kind), number, goal(core, named(kind), number, place)
            )
        case "vote", name, place:
            waiting = core.read(lambda work: work.governance.pending())[place:]
            return name, "POST", f"{NATIVE}/requests/{waiting[0].id if waiting else 0}/approve", {}
        case "point", kind, number, alias:
            if is_mlflow:
                body = {"name": named(kind), "alias": alias, "version": str(number)}
                return "rob", "POST", f"{API}/registered-models/alias", body
            path = f"{NATIVE}/models/{named(kind)}/aliases/{alias}"
            return "rob", "PUT", path, {"version": number}
        case "unpoint", kind, alias:
            if is_mlflow:
                body = {"name": named(kind), "alias": alias}
                return "rob", "DELETE", f"{API}/registered-models/alias", body
            return "rob", "DELETE", f"{NATIVE}/models/{named(kind)}/aliases/{alias}", None
        case "tag", kind, number:
            body = {"name": named(kind), "version": str(number), "key": "x", "value": "yes"}
            return "ann", "POST", f"{API}/model-versions/set-tag", body
        case "copy", kind, other, number:
            body = {"name": named(kind), "source": f"models:/{named(other)}/{number}"}
            return "ann", "POST", f"{API}/model-versions/create", body
        case "delete", kind, number:
            if is_mlflow:
                body = {"name": named(kind), "version": str(number)}
                return "ann", "DELETE", f"{API}/model-versions/delete", body
            return "ann", "DELETE", f"{NATIVE}/models/{named(kind)}/versions/{number}", None
        case "remove", kind:
            if is_mlflow:
                return "ann", "DELETE", f"{API}/registered-models/delete", {"name": named(kind)}
            return "ann", "DELETE", f"{NATIVE}/models/{named(kind)}", None
        case "rename", kind, other:
            if is_mlflow:
                body = {"name": named(kind), "new_name": named(other)}
                return "ann", "POST", f"{API}/registered-models/rename", body
            return "ann", "PATCH", f"{NATIVE}/models/{named(kind)}", {"name": named(other)}
        case "back", kind, stage:
            body = {"model": named(kind), "reason": "worse", "stage": stage}
            return "rob", "POST", f"{NATIVE}/rollbacks", body
        case "apply", written:
            return "rob", "POST", f"{NATIVE}/policy", {"source": json.dumps(written)}
    raise AssertionError(step)


def promotion_of(is_mlflow: bool, name: str, number: int, stage: str, clear: bool = False) -> Asked:
    if is_mlflow:
        to = {"stage": stage, "archive_existing_versions": clear}
        body = {"name": name, "version": str(number), **to}
        return "rob", "POST", f"{API}/model-versions/transition-stage", body
    return "rob", "POST", f"{NATIVE}/promotions", {"model": name, "version": number, "stage": stage}


def goal(core: Core, name: str, number: int, place: int) -> str:
    """A stage to which a listed way leads, where there is one."""
    try:
        version = core.get(number, name)
    except ModelkeepError:
        return "Production"
    cycle = core.read(policies.lifecycle_of, name)
    ways = [end for start, end in cycle.rules if start == version.stage]
    return ways[place % len(ways)] if ways else cycle.stages[place % len(cycle.stages)]


async def knock(core: Core, suffix: int, steps: list[tuple[Any, ...]]) -> None:
    """Plays the steps over HTTP, a few at a time; what cannot be is refused, and never a fault."""
    chance = Random(suffix)
    asgi = build(core.running, core.settings, core.clock.now_ms).door
    transport = httpx.ASGITransport(asgi, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:

        async def send(asked: Asked) -> None:
            by, method, path, body = asked
            answer = await http.request(method, path, json=body, auth=(by, "-"))
            assert answer.status_code < 500, (asked, answer.text)

        while steps:
            few = chance.randrange(1, 6)
            asked = [wording(core, chance, suffix, step) for step in steps[:few]]
            await asyncio.gather(*map(send, asked))
            steps = steps[few:]


# -- what let it happen ------------------------------------------------------------------------


@dataclass
class Checker:
    """Reads leaves in order. `seen` counts what was found to be right, by how it was."""

    written: dict[str, dict[str, Any]]  # policy digest -> the document's registry part
    policy: str = ""
    stages: dict[tuple[int, int], str] = field(default_factory=dict)
    aliases: dict[tuple[int, str], int | None] = field(default_factory=dict)
    tagged: set[tuple[int, int]] = field(default_factory=set)
    asked: dict[int, dict[str, Any]] = field(default_factory=dict)
    voters: dict[int, set[str]] = field(default_factory=dict)
    approved: set[tuple[int, int, str]] = field(default_factory=set)
    seen: Counter[str] = field(default_factory=Counter)

    def cycle(self, name: str) -> dict[str, Any]:
        """The lifecycle of a model by its name: a prefix of each, in these tests."""
        registry_part = self.written.get(self.policy, {})
        for one in registry_part.get("lifecycles", ()):
            if name.startswith(one["models"][0][:-1]):
                return one
        return registry_part

    def kind(self, name: str) -> str:
        return self.cycle(name).get("name", "default")

    def listed(self, name: str) -> dict[tuple[str, str], dict[str, Any]]:
        rules = self.cycle(name).get("stage_transitions", {})
        return {tuple(key.split(" -> ")): asks for key, asks in rules.items()}

    def guarded(self, name: str) -> set[str]:
        return {target for _, target in self.listed(name)}

    def held(self, name: str) -> set[str]:
        """The stages from which nothing may be deleted."""
        cycle, (production, archived) = self.cycle(name), MEANS[self.kind(name)]
        if not self.listed(name) and not cycle.get("single"):
            return set()
        return {production, *cycle.get("single", ()), *self.guarded(name)} - {"None", archived}

    def read(self, leaf: dict[str, Any]) -> None:
        obj, post = leaf["obj"], leaf["post"]
        if leaf["act"] == "policy:revision:applied":
            self.policy = post["policy"]
        elif leaf["act"] == "approval:request:opened":
            opened = next(r["id"] for r in post["requests"] if r["status"] == "pending")
            self.asked[opened] = {**post, "policy": leaf["why"]["policy"], **obj}
        elif leaf["act"] == "approval:vote:cast":
            self.voters.setdefault(obj["request"], set()).add(leaf["texts"]["actor"])
        elif leaf["act"] == "version:tag:set":
            self.tagged.add((obj["model"], obj["version"]))
        elif leaf["act"] == "version:deleted":
            self.check_delete(leaf)
        elif leaf["act"] == "model:renamed":
            self.check_rename(leaf)
        self.check_moves(leaf)
        self.check_aliases(leaf)

    def check_moves(self, leaf: dict[str, Any]) -> None:
        for moved in leaf["post"].get("stages", ()):
            model, number, stage = leaf["obj"]["model"], moved["version"], moved["stage"]
            source = self.stages.get((model, number), "None")
            gone = leaf["act"] == "version:deleted"
            if stage != source and not gone and stage in self.guarded(leaf["obj"]["name"]):
                self.seen[self.grounds(leaf, number, source, stage)] += 1
            self.stages[model, number] = stage

    def grounds(self, leaf: dict[str, Any], number: int, source: str, stage: str) -> str:
        """What let a version into a guarded stage; fails if nothing did."""
        obj, why, name = leaf["obj"], leaf["why"], leaf["obj"]["name"]
        if number != obj["version"]:
            assert stage == MEANS[self.kind(name)][1], f"displaced into a guard: {leaf}"
            return "displaced"
        if leaf["act"] == "version:stage:rolled-back" and "outcome" not in why:
            assert (obj["model"], number, stage) in self.approved, f"returned unasked: {leaf}"
            return "returned"
        assert (why.get("outcome"), why.get("policy")) == ("passed", self.policy), leaf
        way = (source if source in STAGES[self.kind(name)] else "None", stage)
        rules = self.listed(name)
        if leaf["act"] == "version:stage:changed":
            assert way in rules, f"by no listed way: {leaf}"
            self.check_asked(leaf, rules[way], stage)
        if "request" in why:
            self.approved.add((obj["model"], number, stage))
            return "approved"
        return "passed"

    def check_asked(self, leaf: dict[str, Any], asks: dict[str, Any], stage: str) -> None:
        obj, why = leaf["obj"], leaf["why"]
        if "required_tags" in asks:
            assert (obj["model"], obj["version"]) in self.tagged, leaf
        if asks.get("approval_required"):
            request = self.asked[why["request"]]
            what = (request["model"], request["version"], request["target"], request["policy"])
            assert what == (obj["model"], obj["version"], stage, self.policy), leaf
            assert request["subject"] == obj["manifest"] or request["subject"][:6] == "label:"
            assert self.voters[why["request"]] == {"bob"}, leaf  # ann made it, rob asked

    def check_aliases(self, leaf: dict[str, Any]) -> None:
        for slot in leaf["post"].get("slots", ()):
            if "version" not in slot:
                continue
            model, number = leaf["obj"]["model"], slot["version"]
            self.aliases[model, slot["slot"]] = number
            name = leaf["obj"]["name"]
            production = MEANS[self.kind(name)][0]
            follows = production in {*self.guarded(name), *self.cycle(name).get("single", ())}
            if number is not None and slot["slot"] == "alias:champion" and follows:
                assert self.stages.get((model, number)) == production, f"led astray: {leaf}"
                self.seen["champion"] += 1

    def check_delete(self, leaf: dict[str, Any]) -> None:
        model, number = leaf["obj"]["model"], leaf["obj"]["version"]
        held = self.held(leaf["obj"]["name"])
        assert self.stages.get((model, number), "None") not in held, f"deleted: {leaf}"
        named = [a for a, n in self.aliases.items() if (a[0], n) == (model, number)]
        assert not (held and named), f"deleted under an alias: {leaf}"
        self.seen["deleted"] += 1

    def check_rename(self, leaf: dict[str, Any]) -> None:
        old, new = leaf["pre"]["name"], leaf["post"]["name"]
        if self.kind(old) != self.kind(new):
            there = {s for (m, _), s in self.stages.items() if m == leaf["obj"]["model"]}
            assert not there & (self.held(old) | self.held(new)), f"taken out of a guard: {leaf}"
            self.seen["renamed"] += 1


Happening = Callable[[Core, int, list[tuple[Any, ...]]], Coroutine[Any, Any, None]]


def check(core: Core, happening: Happening, histories: int) -> None:
    seen, written = Counter[str](), dict[str, dict[str, Any]]()
    for seed in range(histories):
        chance, start = Random(seed), len(core.leaves())
        for kind in STAGES:
            core.model(f"{kind}_{seed}")
            for number in range(3):
                core.register(f"{kind}_{seed}", f"s3://bucket/{number}")
        steps = [("apply", document(chance)), *(step(chance) for _ in range(STEPS))]
        for _, applied in (one for one in steps if one[0] == "apply"):
            digest = policies.policies.compile(applied, "").digest
            written[digest] = applied["model_registry"]
        asyncio.run(happening(core, seed, steps))
        checker = Checker(written)
        for leaf in core.leaves()[start:]:
            checker.read(leaf)
        seen.update(checker.seen)
    print(f"{histories} histories: {dict(seen)}")
    wanted = ["passed", "approved", "champion", "deleted", "displaced"]
    if happening is happen:  # else what overtakes what is not the same each time
        wanted += ["returned", *(["renamed"] if histories >= MANY else [])]
    for what in wanted:
        assert seen[what], f"no history had one {what}: {seen}"


@pytest.mark.timeout(400 + HISTORIES)
def test_no_version_is_ever_in_a_guarded_stage_without_a_valid_decision(
    core: Core, database_url: str
) -> None:
    check(core, happen, HISTORIES or (8 if database_url else MANY))


@pytest.mark.timeout(400 + 2 * HISTORIES)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nor_is_one_whatever_doors_are_tried(core: Core) -> None:
    check(core, knock, HISTORIES or 8)
