"""Keys of other accounts: what a group's policy lets them do, as far as their grants do, and
nothing else."""

import json
from typing import Any

import pytest

from modelkeep.cli import entries
from modelkeep.domain.announcements import announced
from modelkeep.domain.stores import Place
from modelkeep.ports.work import Work
from modelkeep.protocols.native.paths import PREFIX
from modelkeep.services import history, intake, policies
from tests.support.estate import Estate
from tests.support.sharing import GROUP, OTHERS, OURS, PACKAGE, THEIRS, statement
from tests.support.signing import Signer as Caller
from tests.support.signing import caller, key_of, signed

ACROSS = {"CrossAccountFilterOption": "CrossAccount"}
DENIED = "AccessDeniedException"
GUARDED = {
    "model_registry": {"stage_transitions": {"None -> Production": {"approval_required": True}}}
}


ALL = statement("*")


@pytest.fixture
def boss(estate: Estate) -> Caller:
    """The administrator, of three groups with a version each."""
    return prepared(estate)


@pytest.fixture
def alone(quick: Estate) -> Caller:
    """The same, on SQLite alone."""
    return prepared(quick)


def prepared(estate: Estate) -> Caller:
    found = caller(estate, "boss")
    for name, project in (("weather", "weather"), ("traffic", "traffic"), ("plain", "")):
        tags = [{"Key": "MLProject", "Value": project}] if project else []
        found("CreateModelPackageGroup", ModelPackageGroupName=name, Tags=tags)
        found("CreateModelPackage", ModelPackageGroupName=name)
    return found


def share(boss: Caller, group: str, *statements: dict[str, Any]) -> None:
    body = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    given = {"ModelPackageGroupName": group, "ResourcePolicy": body}
    assert boss("PutModelPackageGroupPolicy", **given) == {"ModelPackageGroupArn": GROUP + group}


def guest(boss: Caller, *grants: str, name: str = "gus", number: str = THEIRS) -> Caller:
    boss.estate.user(name, *(grants or ("contributor",)))
    return caller(boss.estate, name, number)


def test_a_guest_sees_what_a_policy_shows_and_nothing_else(boss: Caller) -> None:
    gus = guest(boss)
    assert gus.groups(**ACROSS) == []
    assert gus.found(**ACROSS) == ([], 0)
    for told in ("weather", "nowhere"):
        assert gus("DescribeModelPackageGroup", ModelPackageGroupName=GROUP + told) == DENIED
        assert gus("DescribeModelPackage", ModelPackageName=f"{PACKAGE}{told}/1") == DENIED
    share(boss, "weather", ALL)
    assert gus.groups(**ACROSS) == ["weather"]
    assert gus.found(**ACROSS) == (["weather"], 1)
    assert gus.found("ModelPackageGroup", **ACROSS) == (["weather"], 1)
    described = gus("DescribeModelPackageGroup", ModelPackageGroupName=GROUP + "weather")
    assert described["ModelPackageGroupArn"] == GROUP + "weather"
    listed = gus("ListModelPackages", ModelPackageGroupName=GROUP + "weather")
    arns = [package["ModelPackageArn"] for package in listed["ModelPackageSummaryList"]]
    assert arns == [PACKAGE + "weather/1"]
    batch = gus("BatchDescribeModelPackage", ModelPackageArnList=[*arns, PACKAGE + "plain/1"])
    assert list(batch["ModelPackageSummaries"]) == arns
    assert list(batch["BatchDescribeModelPackageErrorMap"]) == [PACKAGE + "plain/1"]
    assert gus("DescribeModelPackageGroup", ModelPackageGroupName=GROUP + "traffic") == DENIED
    boss("DeleteModelPackageGroupPolicy", ModelPackageGroupName="weather")
    assert gus.groups(**ACROSS) == []
    assert gus("DescribeModelPackage", ModelPackageName=arns[0]) == DENIED


def test_only_policies_that_may_let_an_account_do_something_are_looked_at(boss: Caller) -> None:
    def read(account: str) -> list[str]:
        def named(work: Work) -> list[str]:
            return [one.name for one in work.group_policies.shared(account, None, 10)]

        return boss.estate.running.reader.run(named)

    root = {"AWS": f"arn:aws:iam::{OTHERS}:root"}
    share(boss, "weather", ALL, statement("*", Effect="Deny", Principal=root))
    share(boss, "traffic", statement("*", Principal=root))
    share(boss, "plain", statement("*", Principal="*"))
    assert (read(THEIRS), read(OTHERS)) == (["weather", "plain"], ["traffic", "plain"])
    share(boss, "traffic", ALL)
    share(boss, "plain", statement("*", Principal={"AWS": [THEIRS, OTHERS]}))
    assert (read(THEIRS), read(OTHERS)) == (["weather", "traffic", "plain"], ["plain"])
    boss("DeleteModelPackageGroupPolicy", ModelPackageGroupName="weather")
    assert (read(THEIRS), read("123456789012")) == (["traffic", "plain"], [])


def test_the_journal_says_for_which_account_a_guest_did_something(alone: Caller) -> None:
    gus = guest(alone, "contributor", "reviewer model:plain")
    share(alone, "weather", ALL)
    gus("CreateModelPackage", ModelPackageGroupName=GROUP + "weather")
    caller(alone.estate, "gus")("CreateModelPackage", ModelPackageGroupName="weather")
    gus("DeleteModelPackage", ModelPackageName=PACKAGE + "weather/2")
    grant = {"ModelPackageArn": PACKAGE + "weather/1", "ModelApprovalStatus": "Approved"}
    share(alone, "weather", statement("*", Condition={"StringEquals": {"aws:ResourceTag/a": "b"}}))
    assert gus("UpdateModelPackage", **grant) == DENIED
    told = alone.estate.running.reader.run(history.entries, 0, 1000)
    by_gus = [
        (leaf["act"], leaf["texts"].get("actor_account"))
        for leaf in told
        if leaf["texts"].get("actor") == "gus"
    ]
    made = [account for act, account in by_gus if act == "version:created"]
    assert made == [THEIRS, None]
    assert by_gus[-1] == ("model:access:denied", THEIRS)
    assert {leaf["texts"].get("actor_account") for leaf in told} == {None, THEIRS}
    entry = next(leaf for leaf in told if "actor_account" in leaf["texts"])
    assert f"by gus of account {THEIRS}" in entries.line(entry)
    gone = next(leaf for leaf in told if leaf["act"] == "version:deleted")
    (news,) = announced(gone, False, {})
    assert (news.data["actor"], news.data["actor_account"]) == ("gus", THEIRS)


def test_who_is_denied_is_told_the_same_of_what_is_there_and_what_is_not(alone: Caller) -> None:
    gus = guest(alone)
    share(alone, "traffic", statement("DescribeModelPackageGroup", Principal={"AWS": OTHERS}))
    told = {
        gus.told("DescribeModelPackageGroup", ModelPackageGroupName=GROUP + name)
        for name in ("weather", "traffic", "nowhere")
    }
    assert len(told) == 1
    assert "Account 111122223333 is another than 000000000000" in told.pop()


def test_who_is_let_by_the_policy_alone_is_told_that_the_grant_is_missing(alone: Caller) -> None:
    gus = guest(alone, "viewer model:traffic")
    asked = {"ModelPackageGroupName": GROUP + "weather"}
    before = gus.told("DescribeModelPackageGroup", **asked)
    share(alone, "weather", statement("ListModelPackages"))
    assert gus.told("DescribeModelPackageGroup", **asked) == before
    share(alone, "weather", statement("DescribeModelPackageGroup"))
    told = gus.told("DescribeModelPackageGroup", **asked)
    assert "policy of the group lets account 111122223333 do DescribeModelPackageGroup" in told
    assert "no role is granted on it to gus" in told


def test_a_guests_own_account_has_nothing_here(boss: Caller) -> None:
    gus = guest(boss)
    share(boss, "weather", ALL)
    assert gus.groups() == gus.groups(CrossAccountFilterOption="SameAccount") == []
    assert gus.found() == ([], 0)
    assert gus("ListModelPackages", ModelPackageType="Versioned") == {"ModelPackageSummaryList": []}
    told = gus.told("DescribeModelPackageGroup", ModelPackageGroupName="weather")
    assert "weather would be of account 111122223333, which has nothing here" in told
    theirs = GROUP.replace(OURS, THEIRS) + "weather"
    assert "this is 000000000000" in gus.told("ListModelPackages", ModelPackageGroupName=theirs)
    assert boss.groups(**ACROSS) == []
    assert boss.found(**ACROSS) == ([], 0)


def test_both_the_policy_and_the_grants_must_allow(boss: Caller) -> None:
    for name in ("weather", "traffic"):
        share(boss, name, ALL)
    gus = guest(boss, "viewer model:weather")
    assert gus.groups(**ACROSS) == ["weather"]
    assert gus("DescribeModelPackageGroup", ModelPackageGroupName=GROUP + "traffic") == DENIED
    assert gus("CreateModelPackage", ModelPackageGroupName=GROUP + "weather") == DENIED
    boss.estate.grant("gus", "contributor model:weather")
    made = gus("CreateModelPackage", ModelPackageGroupName=GROUP + "weather")
    assert made == {"ModelPackageArn": PACKAGE + "weather/2"}
    share(boss, "weather", ALL, statement("CreateModelPackage", Effect="Deny"))
    assert gus("CreateModelPackage", ModelPackageGroupName=GROUP + "weather") == DENIED


TAG, WEATHER = "aws:ResourceTag/MLProject", {"aws:ResourceTag/MLProject": "weather"}


def test_a_condition_narrows_what_is_listed_and_counted(boss: Caller) -> None:
    gus = guest(boss)
    for condition, seen in (
        ({"StringEquals": WEATHER}, ["weather"]),
        ({"StringLike": {TAG: "*"}}, ["traffic", "weather"]),
        ({"StringNotLike": {TAG: ["w*", "t*"]}}, ["plain"]),
        ({"StringEquals": {"aws:PrincipalAccount": OTHERS}}, []),
    ):
        for name in ("weather", "traffic", "plain"):
            share(boss, name, statement("*", Principal="*", Condition=condition))
        assert sorted(gus.groups(**ACROSS)) == seen
        assert gus.found(**ACROSS) == gus.found("ModelPackageGroup", **ACROSS) == (seen, len(seen))


def test_a_tag_on_which_a_policy_hangs_is_an_admins_in_every_dialect(boss: Caller) -> None:
    gus = guest(boss)
    share(boss, "plain", statement("*", Condition={"StringEquals": WEATHER}))
    boss.estate.user("ann", "contributor")
    ann = caller(boss.estate, "ann")
    tag = {"Key": "MLProject", "Value": "weather"}
    assert ann("AddTags", ResourceArn=GROUP + "plain", Tags=[tag]) == DENIED
    mlflow = "/api/2.0/mlflow/registered-models/"
    body = {"name": "plain", "key": "MLProject", "value": "weather"}
    assert boss.estate.call("POST", mlflow + "set-tag", "ann", body).status_code == 403
    native = {"tags": {"MLProject": "weather"}}
    assert boss.estate.call("PATCH", f"{PREFIX}/models/plain", "ann", native).status_code == 403
    assert gus.groups(**ACROSS) == []
    other = {"Key": "team", "Value": "risk"}
    assert ann("AddTags", ResourceArn=GROUP + "plain", Tags=[other])["Tags"] == [other]
    assert ann("AddTags", ResourceArn=GROUP + "weather", Tags=[tag]) != DENIED
    boss.estate.user("adm", "admin model:plain")
    adm = caller(boss.estate, "adm")
    assert adm("AddTags", ResourceArn=GROUP + "plain", Tags=[tag])["Tags"] == [tag, other]
    assert gus.groups(**ACROSS) == ["plain"]
    assert ann("DeleteTags", ResourceArn=GROUP + "plain", TagKeys=["MLProject"]) == DENIED
    body = {"name": "plain", "key": "MLProject"}
    assert boss.estate.call("DELETE", mlflow + "delete-tag", "ann", body).status_code == 403
    small = {"Key": "mlproject", "Value": "weather"}  # the policy may mean it as well
    assert ann("AddTags", ResourceArn=GROUP + "plain", Tags=[small]) == DENIED


def test_a_group_that_was_renamed_is_shared_with_nobody_until_its_policy_is_put_again(
    alone: Caller,
) -> None:
    gus = guest(alone)
    denied = statement("*", Effect="Deny", Resource=PACKAGE + "weather/*")
    share(alone, "weather", ALL, denied)
    assert gus.groups(**ACROSS) == ["weather"]
    assert gus("DescribeModelPackage", ModelPackageName=PACKAGE + "weather/1") == DENIED
    renamed = {"name": "weather", "new_name": "climate"}
    alone.estate.call("POST", "/api/2.0/mlflow/registered-models/rename", "boss", renamed)
    assert gus.groups(**ACROSS) == []
    assert gus("DescribeModelPackage", ModelPackageName=PACKAGE + "climate/1") == DENIED
    share(alone, "climate", ALL)
    assert gus.groups(**ACROSS) == ["climate"]


def test_a_group_that_is_made_again_has_no_policy(alone: Caller) -> None:
    gus = guest(alone)
    share(alone, "weather", ALL)
    alone("DeleteModelPackage", ModelPackageName=PACKAGE + "weather/1")
    alone("DeleteModelPackageGroup", ModelPackageGroupName="weather")
    alone("CreateModelPackageGroup", ModelPackageGroupName="weather")
    assert gus.groups(**ACROSS) == []
    assert (
        alone("GetModelPackageGroupPolicy", ModelPackageGroupName="weather") == "ResourceNotFound"
    )


def test_tags_are_shared_as_the_policy_says(alone: Caller) -> None:
    gus = guest(alone)
    arn, tag = {"ResourceArn": GROUP + "plain"}, {"Key": "a", "Value": "b"}
    share(alone, "plain", statement("ListTags"))
    assert gus("ListTags", **arn) == {"Tags": []}
    assert gus("AddTags", **arn, Tags=[tag]) == DENIED
    share(alone, "plain", statement("AddTags", "DeleteTags"))
    assert gus("AddTags", **arn, Tags=[tag]) == {"Tags": [tag]}
    assert gus("ListTags", **arn) == DENIED
    assert gus("DeleteTags", **arn, TagKeys=["a"]) == {}
    assert alone("ListTags", **arn) == {"Tags": []}


NAMED: dict[str, dict[str, Any]] = {
    "AddTags": {
        "ResourceArn": GROUP.replace("model-package-group", "model-card") + "weather",
        "Tags": [{"Key": "a", "Value": "b"}],
    },
    "CreateModel": {
        "ModelName": "m",
        "PrimaryContainer": {"ModelPackageName": PACKAGE + "weather/1"},
    },
    "CreateModelCard": {"ModelCardName": "c", "Content": "{}", "ModelCardStatus": "Draft"},
    "CreateModelPackage": {"ModelPackageName": "single"},
    "CreateModelPackageGroup": {"ModelPackageGroupName": "mine"},
    "DeleteModelPackageGroupPolicy": {"ModelPackageGroupName": "weather"},
    "GetModelPackageGroupPolicy": {"ModelPackageGroupName": "weather"},
    "ListModelCards": {},
    "ListModels": {},
    "PutModelPackageGroupPolicy": {"ModelPackageGroupName": "weather", "ResourcePolicy": "{}"},
}


def test_what_is_no_group_and_no_package_of_one_is_shared_with_nobody(alone: Caller) -> None:
    gus = guest(alone, "admin")
    share(alone, "weather", ALL)
    for operation, params in NAMED.items():
        assert gus(operation, **params) == DENIED, operation


def test_a_guest_has_no_other_door(alone: Caller) -> None:
    gus = guest(alone, "admin")
    share(alone, "weather", ALL)
    for path in (
        "/api/2.0/mlflow/registered-models/search",
        "/api/2.0/mlflow/registered-models/get?name=weather",
        f"{PREFIX}/models",
        f"{PREFIX}/accounts",
    ):
        assert gus.file("GET", path, "sagemaker")[0] == 403, path
    for method, path in (
        ("GET", "/"),
        ("GET", "/some-bucket?list-type=2"),
        ("GET", "/modelkeep?list-type=2"),
        ("PUT", "/some-bucket/a"),
        ("GET", "/some-bucket/a"),
        ("DELETE", "/some-bucket/a"),
        ("POST", "/some-bucket/a?uploads"),
    ):
        assert gus.file(method, path)[0] == 403, (method, path)
    topic = signed(alone.estate, gus.key, "AWSEvents.ListRules", {}, "events")
    assert alone.estate.call(**topic).status_code == 403


def version_id(estate: Estate, name: str, number: int) -> int:
    def find(work: Any) -> int:
        return work.versions.get(work.models.find(name), number).id

    return estate.running.reader.run(find)


OBJECT = "s3://some-bucket/model.tar.gz"


def of(address: str, **more: Any) -> dict[str, Any]:
    containers = [{"Image": "i", "ModelDataUrl": address}]
    return {"InferenceSpecification": {"Containers": containers}, **more}


def test_bytes_are_of_who_may_deploy_the_package(boss: Caller) -> None:
    assert boss.file("PUT", "/some-bucket/model.tar.gz")[0] == 200
    for name in ("weather", "plain"):
        boss("CreateModelPackage", ModelPackageGroupName=name, **of(OBJECT))
    shared, hidden = (
        f"/modelkeep/versions/{version_id(boss.estate, name, 2)}/model.tar.gz"
        for name in ("weather", "plain")
    )
    gus = guest(boss)
    share(boss, "weather", statement("DescribeModelPackage"))
    assert gus.file("GET", shared)[0] == 404
    share(boss, "weather", statement("CreateModel"))
    assert gus.file("GET", shared) == boss.file("GET", shared) == (200, b"{}")
    assert gus.file("GET", hidden)[0] == 404
    other = statement("CreateModel", Condition={"StringEquals": {TAG: "traffic"}})
    share(boss, "weather", statement("Describe*"), other)
    assert gus.file("GET", shared)[0] == 404


def test_what_a_guest_registers_never_gets_bytes_by_this_servers_rights(boss: Caller) -> None:
    boss.file("PUT", "/some-bucket/model.tar.gz")
    boss("CreateModelPackage", ModelPackageGroupName="plain", **of(OBJECT))
    gus = guest(boss, "admin")
    share(boss, "weather", ALL)
    to = {"ModelPackageGroupName": GROUP + "weather"}
    for address in (OBJECT, "s3://listed/private"):
        gus("CreateModelPackage", **to, **of(address))
    for number in (2, 3):
        path = f"/modelkeep/versions/{version_id(boss.estate, 'weather', number)}/model.tar.gz"
        assert gus.file("GET", path)[0] == 404
    undiscovered = boss.estate.running.reader.run(intake.undiscovered, Place("listed", ""))
    assert undiscovered == []
    boss("CreateModelPackage", ModelPackageGroupName="weather", **of("s3://listed/private"))
    assert boss.estate.running.reader.run(intake.undiscovered, Place("listed", ""))
    for address in (
        "models:/plain/2",
        "runs:/0123456789abcdef0123456789abcdef/m",
        "mlflow-artifacts:/s3/a",
    ):
        assert "is of another account" in gus.told("CreateModelPackage", **to, SourceUri=address)
    clone = gus.told("CreateModelPackage", **to, SourceUri=PACKAGE + "plain/2")
    assert "does not exist" in clone


def test_a_vote_from_another_account_is_still_a_persons_with_a_role_that_approves(
    boss: Caller,
) -> None:
    estate = boss.estate
    estate.write(lambda work, by: policies.apply(work, by, GUARDED, "the policy"))
    estate.user("ann", "contributor")
    caller(estate, "ann")("CreateModelPackage", ModelPackageGroupName="weather")
    vote = {"ModelPackageArn": PACKAGE + "weather/2", "ModelApprovalStatus": "Approved"}
    estate.service("ci", "ann", "admin")
    voters = {
        name: guest(boss, role, name=name)
        for name, role in (("wes", "contributor"), ("rev", "reviewer"), ("eve", "reviewer"))
    }
    ci, same = caller(estate, "ci", THEIRS), caller(estate, "ann", THEIRS)
    lent, voters["rev"] = (
        voters["rev"],
        Caller(estate, key_of(estate, "rev", account_number=THEIRS)),
    )
    for one in (*voters.values(), ci, same):
        assert one("UpdateModelPackage", **vote) == DENIED
    share(
        boss,
        "weather",
        statement("UpdateModelPackage"),
        statement("*", Effect="Deny", Principal={"AWS": f"arn:aws:iam::{THEIRS}:user/eve"}),
    )
    for denied in (voters["wes"], voters["eve"], same):
        assert denied("UpdateModelPackage", **vote) == DENIED
    estate.grant("ann", "reviewer")
    for late in (same, ci, lent):
        assert late("UpdateModelPackage", **vote) == "ConflictException"
    assert voters["rev"]("UpdateModelPackage", **vote) == {"ModelPackageArn": PACKAGE + "weather/2"}
    status = boss("DescribeModelPackage", ModelPackageName="weather/2")["ModelApprovalStatus"]
    assert status == "Approved"


def test_a_token_of_one_account_is_none_of_another(alone: Caller) -> None:
    alone.estate.user("gus", "contributor")
    home, away = caller(alone.estate, "gus"), caller(alone.estate, "gus", THEIRS)
    share(alone, "weather", ALL)
    said = {"ModelPackageGroupName": GROUP + "weather", "ClientToken": "once"}
    made = [one("CreateModelPackage", **said)["ModelPackageArn"] for one in (home, away, home)]
    assert made == [PACKAGE + f"weather/{number}" for number in (2, 3, 2)]
