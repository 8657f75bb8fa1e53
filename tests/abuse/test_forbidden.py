"""Every promotion that a policy forbids, asked for at every door.

Each time it is refused in the door's own words and recorded, and nothing has moved: no stage, no
alias, no epoch. GraphQL is no door: it has no mutations (`tests/abuse/test_graphql.py`).
"""

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from modelkeep.domain.access import Actor, Caller
from modelkeep.domain.errors import NotFound
from modelkeep.domain.tracking import Metric
from modelkeep.services import artifacts, creation, history, promotion, registry, slots, tracking
from modelkeep.services.creation import Draft
from modelkeep.services.promotion import Order
from tests.support.clock import MovedClock
from tests.support.doors import (
    API,
    NATIVE,
    House,
    Told,
    by_command,
    by_mlflow,
    by_native,
    by_sdk,
    open_house,
)
from tests.support.estate import Estate

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
ANN, ROB = (Caller(Actor(name, verified=True)) for name in ("ann", "rob"))
RULES: dict[str, dict[str, dict[str, Any]]] = {
    "metric": {"None -> Production": {"required_metrics": ["accuracy >= 0.9"]}},
    "tags": {"None -> Production": {"required_tags": ["tested"]}},
    "docs": {"None -> Production": {"required_documents": ["card"]}},
    "cel": {
        "None -> Production": {"expressions": ["metrics.accuracy > 0.9 && card.risk == 'low'"]}
    },
    "bytes": {"None -> Production": {"artifact_verified": True}},
    "worse": {"None -> Production": {"no_regression": ["accuracy"]}},
    "soak": {"None -> Staging": {}, "Staging -> Production": {"minimum_soak_hours": 24}},
    "frozen": {
        "None -> Production": {"freeze_windows": [{"from": "2026-11-01", "until": "2026-12-01"}]}
    },
    "reason": {"None -> Production": {"reason_required": True}},
    "order": {"None -> Staging": {}, "Staging -> Production": {}},
    "people": {
        "None -> Production": {"approvals": {"quorum": 2, "role": "reviewer"}},
        "Production -> Archived": {},
        "Archived -> Production": {"required_tags": ["safe"]},
    },
    "back": {"None -> Production": {}, "Production -> Archived": {}},
}
ROLLBACKS = {"back": {"required_tags": ["safe"]}}


def policy(**more: dict[str, dict[str, Any]]) -> str:
    """One lifecycle for each kind of gate, named as the models' names begin."""
    listed = [
        {"name": kind, "models": [f"{kind}_*"], "stage_transitions": rules}
        | ({"rollback": ROLLBACKS[kind]} if kind in ROLLBACKS else {})
        for kind, rules in {**RULES, **more}.items()
    ]
    return yaml.safe_dump({"model_registry": {"lifecycles": listed}})


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    estate = Estate(tmp_path_factory.mktemp("house") / "data", "", MovedClock())
    everybody = {"ann": "contributor", "rob": "contributor", "dan": "deployer", "eve": "viewer"}
    reviewers = ("ann", "rob", "bob", "cid", "olga")
    for name in ("ann", "rob", "dan", "eve", "bob", "cid", "olga"):
        grants = [everybody[name]] if name in everybody else []
        estate.user(name, *grants, *(["reviewer"] if name in reviewers else []))
    estate.service("ci", "olga", "contributor")
    estate.tokens["ann again"] = estate.token("ann").text
    estate.tokens["bob again"] = estate.token("bob").text
    with open_house(estate) as house:
        apply(house, policy())
        yield house
    assert estate.verify().is_intact
    estate.close()


def apply(house: House, source: str) -> None:
    house.made("POST", f"{NATIVE}/policy", "boss", {"source": source})


# -- what there is -------------------------------------------------------------------------------


def version(
    house: House,
    model: str,
    metrics: dict[str, float] | None = None,
    *,
    has_bytes: bool = True,
) -> int:
    """A version of a new run of ann's, in a model that is made if need be; its number."""
    write = house.estate.running.writer.run
    try:
        read(house, registry.get_model, model)
    except NotFound:
        write(registry.create_model, ANN, model)
    run = write(tracking.create_run, ANN, 0).run_id
    write(tracking.log_batch, ANN, run, [Metric(k, v, 1) for k, v in (metrics or {}).items()])
    source = "s3://bucket/elsewhere"
    if has_bytes:
        source, content = f"runs:/{run}/model", run.encode()
        file = f"0/{run}/artifacts/model/weights"
        write(artifacts.put_small, ANN, file, hashlib.sha256(content).hexdigest(), content)
    return write(creation.create_version, ANN, Draft(model, source, run)).number


def move(house: House, model: str, number: int, stage: str) -> None:
    moved = house.estate.running.writer.run(promotion.request, ROB, Order(model, number, stage))
    assert moved.is_done, moved.message


def read(house: House, use_case: Callable[..., Any], *args: Any) -> Any:
    return house.estate.running.reader.run(use_case, *args)


def standing(house: House, model: str) -> dict[str, Any]:
    """Everything that a promotion could move."""
    found = read(house, registry.search_versions, [], [], 1000).items
    held = read(house, slots.of_model, model)
    return {
        "slots": {str(h.slot): (h.epoch, [stay.number for stay in h.stays]) for h in held},
        "versions": {v.number: (v.stage, [*v.aliases]) for v in found if v.model_name == model},
    }


def newest(house: House, model: str) -> dict[str, Any]:
    return read(house, history.of_model, model, None, 1)[0]


# -- into production -------------------------------------------------------------------------------


def stage_call(house: House, by: str, model: str, number: int) -> Told:
    to = {"stage": "Production", "archive_existing_versions": True}
    body = {"name": model, "version": str(number), **to}
    return by_mlflow(house.send("POST", f"{API}/model-versions/transition-stage", by, body))


def stage_call_in_other_letters(house: House, by: str, model: str, number: int) -> Told:
    body = {"name": model, "version": str(number), "stage": "pRODUCTION"}
    return by_mlflow(house.send("POST", f"{API}/model-versions/transition-stage", by, body))


def alias_call(house: House, by: str, model: str, number: int) -> Told:
    body = {"name": model, "version": str(number), "alias": "champion"}
    return by_mlflow(house.send("POST", f"{API}/registered-models/alias", by, body))


def native_call(house: House, by: str, model: str, number: int) -> Told:
    body = {"model": model, "version": number, "stage": "Production"}
    return by_native(house.send("POST", f"{NATIVE}/promotions", by, body))


def native_alias(house: House, by: str, model: str, number: int) -> Told:
    path = f"{NATIVE}/models/{model}/aliases/champion"
    return by_native(house.send("PUT", path, by, {"version": number}))


def sdk_call(house: House, by: str, model: str, number: int) -> Told:
    with house.sdk(by) as client:
        return by_sdk(lambda: client.promote(model, number, "Production"))


def sdk_alias(house: House, by: str, model: str, number: int) -> Told:
    with house.sdk(by) as client:
        return by_sdk(lambda: client.set_alias(model, "champion", number))


def command(house: House, by: str, model: str, number: int) -> Told:
    return by_command(house, by, "promote", f"{model}/{number}", "--to", "Production")


DOORS = (
    stage_call,
    stage_call_in_other_letters,
    alias_call,
    native_call,
    native_alias,
    sdk_call,
    sdk_alias,
    command,
)


@dataclass(frozen=True)
class Case:
    """A promotion that must not be. `occupant` is what there was in production before."""

    model: str
    says: str  # in what a person reads
    metrics: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    by: str = "rob"
    how: str = "refused"
    has_bytes: bool = True
    stage: str = "None"
    occupant: dict[str, Any] | None = None


GOOD = {"accuracy": 0.95}
CASES = {
    "a metric below its threshold": Case("metric_low", "accuracy is 0.5", {"accuracy": 0.5}),
    "a metric that was never logged": Case("metric_none", "accuracy"),
    "a metric that is no number": Case("metric_nan", "accuracy", {"accuracy": math.nan}),
    "a metric without end": Case("metric_inf", "accuracy", {"accuracy": math.inf}),
    "a prompt by its tag": Case(
        "metric_prompt", "accuracy is 0.5", {"accuracy": 0.5}, {"mlflow.prompt.is_prompt": "true"}
    ),
    "a deployer's wish": Case("metric_dan", "accuracy is 0.5", {"accuracy": 0.5}, by="dan"),
    "an administrator's wish": Case("metric_boss", "accuracy is 0.5", {"accuracy": 0.5}, by="boss"),
    "a tag that is missing": Case("tags_none", "tested"),
    "a tag that says no": Case("tags_no", "tested", tags={"tested": "False"}),
    "a tag that looks alike": Case("tags_alike", "tested", tags={"tеsted": "yes", "Tested": "1"}),
    "a document that is missing": Case("docs_none", "card is not attached"),
    "an expression that is false": Case("cel_false", "expressions", {"accuracy": 0.1}),
    "an expression that breaks": Case("cel_breaks", "expressions", GOOD),
    "bytes that are not ours": Case("bytes_not", "artifact", has_bytes=False),
    "a step back against the occupant": Case(
        "worse_now", "accuracy", {"accuracy": 0.94}, occupant=GOOD
    ),
    "too short a stay in staging": Case("soak_short", "Staging", stage="Staging"),
    "a freeze": Case("frozen_now", "2026"),
    "no reason": Case("reason_none", "reason"),
    "a way that is not listed": Case("order_skipped", "None -> Production"),
    "nobody's approval": Case("people_asked", "approv", how="waits"),
    "a machine's wish": Case("people_ci", "approv", by="ci", how="waits"),
    "no role but to look": Case("metric_eve", "promote", GOOD, by="eve", how="forbidden"),
    "no role but to review": Case("metric_bob", "promote", GOOD, by="bob", how="forbidden"),
}
RECORDED = {
    "refused": "version:stage:refused",
    "waits": "approval:request:opened",
    "forbidden": "model:access:denied",
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_the_policy_forbids_is_refused_and_recorded_at_every_door(
    house: House, case: Case
) -> None:
    if case.occupant:
        first = version(house, case.model, case.occupant)
        move(house, case.model, first, "Production")
    for door in DOORS:  # each its own version: the same refusal again would only be counted
        number = version(house, case.model, case.metrics, has_bytes=case.has_bytes)
        for key, value in case.tags.items():
            tag = {"name": case.model, "version": str(number), "key": key, "value": value}
            house.send("POST", f"{API}/model-versions/set-tag", "ann", tag)
        if case.stage != "None":
            move(house, case.model, number, case.stage)
        before = standing(house, case.model)
        assert before["versions"][number] == (case.stage, [])

        told = door(house, case.by, case.model, number)

        assert (told.how, case.says in told.text) == (case.how, True), (door.__name__, told)
        assert standing(house, case.model) == before, door.__name__
        leaf = newest(house, case.model)
        assert (leaf["act"], leaf["texts"]["actor"]) == (RECORDED[case.how], case.by), door.__name__
        assert leaf["actor"]["verified"]
        if case.how == "forbidden":
            assert leaf["post"] == {"verb": "promote"}
            house.estate.clock.advance(HOUR_MS)  # within which the same again is not recorded
        else:
            assert (leaf["obj"]["version"], leaf["post"]["target"]) == (number, "Production")


def test_no_field_of_a_new_version_puts_it_anywhere(house: House) -> None:
    version(house, "metric_new")
    fields = {"current_stage": "Production", "stage": "Production", "aliases": ["champion"]}
    body = {"name": "metric_new", "source": "s3://bucket/m", **fields}
    house.send("POST", f"{API}/model-versions/create", "ann", body)
    native = {"source": "s3://bucket/m", **fields}
    house.send("POST", f"{NATIVE}/models/metric_new/versions", "ann", native)
    found = standing(house, "metric_new")["versions"]
    assert list(found.values()) == [("None", [])] * len(found)


@pytest.mark.parametrize(
    "alias", ["Champion", "CHAMPION", "ｃｈａｍｐｉｏｎ", "сhampion", "champion ", "v3"]
)
def test_an_alias_that_looks_alike_is_none_that_follows_a_stage(house: House, alias: str) -> None:
    number = version(house, "metric_alike", {"accuracy": 0.1})
    body = {"name": "metric_alike", "version": str(number), "alias": alias}
    house.send("POST", f"{API}/registered-models/alias", "rob", body)
    now = standing(house, "metric_alike")
    assert now["slots"]["stage:Production"] == (0, [])
    assert "alias:champion" not in now["slots"]


def test_an_epoch_that_is_past_is_refused_at_every_door_that_takes_one(house: House) -> None:
    first, second = version(house, "order_epochs"), version(house, "order_epochs")
    move(house, "order_epochs", first, "Staging")
    move(house, "order_epochs", first, "Production")
    before = standing(house, "order_epochs")
    body = {"model": "order_epochs", "version": second, "stage": "Staging", "epoch": 0}
    champion = f"{NATIVE}/models/order_epochs/aliases/champion"
    wish = ("order_epochs", second, "Staging")
    with house.sdk("rob") as client:
        told = [
            by_native(house.send("POST", f"{NATIVE}/promotions", "rob", body)),
            by_native(house.send("PUT", champion, "rob", {"version": second, "epoch": 0})),
            by_sdk(lambda: client.promote(*wish, epoch=0)),
            by_command(
                house, "rob", "promote", f"order_epochs/{second}", "--to", "Staging", "--epoch", "0"
            ),
        ]
    assert [t.how for t in told] == ["stale"] * 4, told
    assert standing(house, "order_epochs") == before


# -- votes -----------------------------------------------------------------------------------------


def approve_natively(house: House, by: str, request: int) -> Told:
    return by_native(house.send("POST", f"{NATIVE}/requests/{request}/approve", by, {}))


def approve_by_sdk(house: House, by: str, request: int) -> Told:
    with house.sdk(by) as client:
        return by_sdk(lambda: client.requests.approve(request))


def approve_by_command(house: House, by: str, request: int) -> Told:
    return by_command(house, by, "approve", str(request))


VOTING_DOORS = (approve_natively, approve_by_sdk, approve_by_command)


def ask(house: House, model: str, number: int, by: str = "rob", **more: Any) -> int:
    body = {"model": model, "version": number, "stage": "Production", **more}
    return house.made("POST", f"{NATIVE}/promotions", by, body)["request"]


def approved_by(*people: str) -> Callable[[House, str, int, int], None]:
    def vote(house: House, model: str, number: int, request: int) -> None:
        for one in people:
            house.made("POST", f"{NATIVE}/requests/{request}/approve", one, {})

    return vote


def withdrawn(house: House, model: str, number: int, request: int) -> None:
    house.made("POST", f"{NATIVE}/requests/{request}/withdraw", "rob", {})


def rejected(house: House, model: str, number: int, request: int) -> None:
    house.made("POST", f"{NATIVE}/requests/{request}/reject", "cid", {"comment": "no"})


def expired(house: House, model: str, number: int, request: int) -> None:
    house.estate.clock.advance(7 * DAY_MS)


def under_another_policy(house: House, model: str, number: int, request: int) -> None:
    apply(house, policy(**{f"other{request}": {}}))


def moved_meanwhile(house: House, model: str, number: int, request: int) -> None:
    """Past its gates, which is the only way there is, and back."""
    body = {"model": model, "version": number, "stage": "Production", "reason": "fire"}
    house.made("POST", f"{NATIVE}/emergencies", "boss", body)
    move(house, model, number, "Archived")
    emergency = house.made("GET", f"{NATIVE}/emergencies", "boss")[0]["id"]
    verdict = {"accepts": True, "comment": "it burned"}
    house.made("POST", f"{NATIVE}/emergencies/{emergency}/review", "cid", verdict)


def deleted(house: House, model: str, number: int, request: int) -> None:
    body = {"name": model, "version": str(number)}
    house.send("DELETE", f"{API}/model-versions/delete", "ann", body).raise_for_status()


def nothing(house: House, model: str, number: int, request: int) -> None:
    """The request is as it was."""


@dataclass(frozen=True)
class Ballot:
    """A vote that must not count, cast after something has happened to its request."""

    by: str
    says: str
    after: Callable[[House, str, int, int], None] = nothing
    asked_by: str = "rob"
    how: str = "refused"


BALLOTS = {
    "the author's": Ballot("ann", "ann is an author", approved_by("bob")),
    "the author's by another token": Ballot("ann again", "ann is an author", approved_by("bob")),
    "the asker's": Ballot("rob", "rob asked for this", approved_by("bob")),
    "of who answers for the machine that asked": Ballot("olga", "answers for", asked_by="ci"),
    "one person's second": Ballot("bob", "has voted", approved_by("bob")),
    "one person's by another token": Ballot("bob again", "has voted", approved_by("bob")),
    "on what was approved": Ballot("olga", "approved already", approved_by("bob", "cid")),
    "on what was withdrawn": Ballot("bob", "withdrawn already", withdrawn),
    "on what was rejected": Ballot("bob", "rejected already", rejected),
    "on what has expired": Ballot("bob", "expired", expired),
    "under another policy": Ballot("bob", "void already", under_another_policy),
    "on what has moved": Ballot("bob", "void already", moved_meanwhile),
    "on what is no more": Ballot("bob", "void already", deleted),
    "of a contributor": Ballot("dan", "approve", how="forbidden"),
    "of a viewer": Ballot("eve", "approve", how="forbidden"),
    "of a machine": Ballot("ci", "approve", how="forbidden"),
}


@pytest.mark.parametrize("ballot", BALLOTS.values(), ids=BALLOTS)
def test_a_vote_that_may_not_count_is_refused_and_recorded_at_every_door(
    house: House, ballot: Ballot
) -> None:
    model = f"people_{list(BALLOTS.values()).index(ballot)}"
    for door in VOTING_DOORS:
        number = version(house, model)
        request = ask(house, model, number, ballot.asked_by)
        ballot.after(house, model, number, request)
        before = standing(house, model)

        told = door(house, ballot.by, request)

        assert (told.how, ballot.says in told.text) == (ballot.how, True), (door.__name__, told)
        assert standing(house, model) == before, door.__name__
        leaf = newest(house, model)
        who = ballot.by.removesuffix(" again")
        act = "model:access:denied" if ballot.how == "forbidden" else "approval:vote:denied"
        assert (leaf["act"], leaf["texts"]["actor"]) == (act, who), door.__name__
        house.estate.clock.advance(HOUR_MS)


# -- what is guarded stays -------------------------------------------------------------------------


def call(method: str, path: str, **body: Any) -> Callable[[House, str, str], Told]:
    """A call of MLflow's or ours; `MODEL` stands for the model's name."""

    def named(value: Any, model: str) -> Any:
        return value.replace("MODEL", model) if isinstance(value, str) else value

    def send(house: House, by: str, model: str) -> Told:
        given = {k: named(v, model) for k, v in body.items()} or None
        answer = house.send(method, named(path, model), by, given)
        return by_mlflow(answer) if path.startswith(API) else by_native(answer)

    return send


def sdk(wish: Callable[[Any, str], Any]) -> Callable[[House, str, str], Told]:
    def send(house: House, by: str, model: str) -> Told:
        with house.sdk(by) as client:
            return by_sdk(lambda: wish(client, model))

    return send


def line(*words: str) -> Callable[[House, str, str], Told]:
    def send(house: House, by: str, model: str) -> Told:
        return by_command(house, by, *(word.replace("MODEL", model) for word in words))

    return send


# Of a model whose version 1 was in production before version 2, which is there now.
GUARDED = {
    "deleting what is in production": (
        "may not be deleted",
        call("DELETE", f"{API}/model-versions/delete", name="MODEL", version="2"),
        call("DELETE", f"{NATIVE}/models/MODEL/versions/2"),
        sdk(lambda client, model: client.delete_version(model, 2)),
    ),
    "deleting what a rollback returns to": (
        "a rollback of Production would return to it",
        call("DELETE", f"{API}/model-versions/delete", name="MODEL", version="1"),
        call("DELETE", f"{NATIVE}/models/MODEL/versions/1"),
        sdk(lambda client, model: client.delete_version(model, 1)),
    ),
    "deleting its model": (
        "may not be deleted",
        call("DELETE", f"{API}/registered-models/delete", name="MODEL"),
        call("DELETE", f"{NATIVE}/models/MODEL"),
        sdk(lambda client, model: client.delete_model(model)),
    ),
    "a name outside the policy": (
        "lifecycle back",
        call("POST", f"{API}/registered-models/rename", name="MODEL", new_name="free_MODEL"),
        call("PATCH", f"{NATIVE}/models/MODEL", name="free_MODEL"),
    ),
    "taking its alias away": (
        "follows Production",
        call("DELETE", f"{API}/registered-models/alias", name="MODEL", alias="champion"),
        call("DELETE", f"{NATIVE}/models/MODEL/aliases/champion"),
        sdk(lambda client, model: client.delete_alias(model, "champion")),
    ),
    "taking it out of production": (
        "Production -> Staging",
        call(
            "POST",
            f"{API}/model-versions/transition-stage",
            name="MODEL",
            version="2",
            stage="Staging",
        ),
        call("POST", f"{NATIVE}/promotions", model="MODEL", version=2, stage="Staging"),
        sdk(lambda client, model: client.promote(model, 2, "Staging")),
        line("promote", "MODEL/2", "--to", "Staging"),
    ),
    "a rollback that its policy forbids": (
        "safe",
        call("POST", f"{NATIVE}/rollbacks", model="MODEL", reason="worse"),
        sdk(lambda client, model: client.rollback(model, reason="worse")),
        line("rollback", "MODEL", "--reason", "worse"),
    ),
}


@pytest.mark.parametrize("case", GUARDED.values(), ids=GUARDED)
def test_what_is_guarded_stays_whatever_door_is_tried(house: House, case: tuple[Any, ...]) -> None:
    says, *doors = case
    for index, door in enumerate(doors):
        model = f"back_{list(GUARDED.values()).index(case)}_{index}"
        for number in (1, 2):
            assert version(house, model) == number
            move(house, model, number, "Production")
        before = standing(house, model)
        told = door(house, "rob", model)
        assert (told.how, says in told.text) == ("refused", True), told
        assert standing(house, model) == before
        leaf = newest(house, model)
        assert (leaf["act"], leaf["texts"]["actor"]) == ("version:stage:refused", "rob")


def test_no_name_brings_a_version_into_a_guard(house: House) -> None:
    number = version(house, "free_one")
    move(house, "free_one", number, "Production")
    before = standing(house, "free_one")
    body = {"name": "free_one", "new_name": "metric_one"}
    told = by_mlflow(house.send("POST", f"{API}/registered-models/rename", "ann", body))
    assert (told.how, "lifecycle metric" in told.text) == ("refused", True)
    assert standing(house, "free_one") == before


def test_an_import_meets_the_gates_as_everybody_does(house: House) -> None:
    def bring(what: str, by: str = "boss", **given: Any) -> Any:
        return house.send("POST", f"{NATIVE}/import/{what}", by, {"origin": "http://old", **given})

    brought = {"model": "metric_brought", "number": 1, "source": "s3://bucket/m"}
    assert bring("models", model={"name": "metric_brought"}).status_code == 200
    assert bring("versions", version=brought).status_code == 200
    before = standing(house, "metric_brought")
    stage = {"model": "metric_brought", "version": 1, "stage": "Production"}
    alias = {"model": "metric_brought", "version": 1, "alias": "champion"}
    for what, given in (("stages", stage), ("aliases", alias)):
        assert bring(what, by="rob", **given).status_code == 403
        assert "accuracy" in bring(what, **given).raise_for_status().text
        assert standing(house, "metric_brought") == before
        assert newest(house, "metric_brought")["act"] == "version:stage:refused"
