"""The SDK's nouns, against real servers: each method once, and the page that teaches them."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import modelkeep_client as sdk
import modelkeep_verify as verifier
from modelkeep_client import Client
from tests.conftest import StartServer
from tests.support.clients import ROOT
from tests.support.office import PASSWORD, Office
from tests.support.server import Server

POLICY = """
model_registry:
  single: [Production]
  stage_transitions:
    None -> Production:
      required_tags: [tested]
      approval_required: true
"""
HASH_BYTES = 32


@pytest.fixture
def ann(server: Server) -> Iterator[Client]:
    with Client(server.url, user="ann") as client:
        yield client


@pytest.fixture
def bob(server: Server) -> Iterator[Client]:
    with Client(server.url, user="bob") as client:
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    (made / "MLmodel").write_text("flavors: {}\n")
    return made


def asked(client: Client) -> int:
    """The id of a request for a version of `churn`, registered for it, to enter Production."""
    version = client.register("churn", source="s3://elsewhere/model", tags={"tested": "yes"})
    with pytest.raises(sdk.Waiting) as waiting:
        client.promote("churn", version.version, "Production", reason="better")
    assert waiting.value.request is not None
    return waiting.value.request


# -- the page ----------------------------------------------------------------------------------


def blocks() -> list[str]:
    text = (ROOT / "docs" / "sdk.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_every_example_of_the_docs_runs_one_after_another(
    start_server: StartServer,
    ann: Client,
    bob: Client,
    server: Server,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"client": ann, "bob": bob, "Waiting": sdk.Waiting}
    first, *others, accounts = blocks()
    run(first.replace("http://127.0.0.1:5000", server.url), {})
    assert (tmp_path / "served" / "MLmodel").read_bytes() == (folder / "MLmodel").read_bytes()
    for block in others:
        until_all_is_signed(ann)
        run(block, names)
    assert ann.version("churn", "Production").version == 1
    assert len(others) == 3
    office = Office(guarded := start_server("--auth", "on"))
    with Client(guarded.url, token=office.token) as boss:
        boss.create_model("churn")
        run(accounts, {"client": boss})
        assert [account.name for account in boss.accounts.list("user")] == ["boss", "rob"]


def until_all_is_signed(client: Client) -> None:
    deadline = time.monotonic() + 60
    while (status := client.journal.status()).signed_entries < status.entries:
        assert time.monotonic() < deadline, status


def run(code: str, names: dict[str, object]) -> None:
    exec(compile(code, "docs/sdk.md", "exec"), names)  # noqa: S102 - our own page


# -- the nouns ---------------------------------------------------------------------------------


def test_a_request_is_read_discussed_sent_back_and_withdrawn(ann: Client, bob: Client) -> None:
    ann.create_model("churn")
    ann.policies.apply(POLICY)
    first, second, third = (asked(ann) for _ in range(3))
    assert bob.requests.comment(first, "which slices?").name == "bob"
    found = bob.requests.get(first)
    assert [comment.text for comment in found.comments] == ["which slices?"]
    assert (found.model, found.requested_by, found.evidence_is_current) == ("churn", "ann", True)
    assert found.evidence_bundle["tags"] == {"tested": "yes"}
    assert bob.requests.request_changes(first, "add the slices").result == "rejected"
    assert bob.requests.get(first).votes[0].comment == "add the slices"
    assert ann.requests.withdraw(second, "found a leak").status == "withdrawn"
    assert bob.requests.reject(third, "too slow").result == "rejected"
    assert {request.status for request in ann.requests.list(None)} == {
        *("changes_requested", "withdrawn", "rejected")
    }
    with pytest.raises(sdk.NotFound):
        ann.requests.get(99)


def test_the_glass_is_broken_and_reviewed_by_somebody_else(ann: Client, bob: Client) -> None:
    ann.create_model("churn")
    ann.policies.apply(POLICY)
    ann.register("churn", source="s3://elsewhere/model")
    assert ann.emergencies.break_glass("churn", 1, "Production", reason="on fire", hours=2).is_done
    (emergency,) = ann.emergencies.list(unreviewed=True)
    assert "tags" in [v.gate for v in emergency.verdicts if v.outcome == "failed"]
    with pytest.raises(sdk.Forbidden):
        ann.emergencies.review(emergency.id, accepts=True, comment="I was right")
    reviewed = bob.emergencies.review(emergency.id, accepts=False, comment="it could wait")
    assert (reviewed.status, reviewed.reviewed_by) == ("faulted", "bob")
    assert ann.emergencies.list(unreviewed=True) == []


def test_a_policy_is_shown_tried_on_the_past_and_on_a_move(ann: Client) -> None:
    assert (ann.policies.show().revision, ann.policies.show().applied) == (0, None)
    ann.create_model("churn")
    ann.register("churn", source="s3://elsewhere/model")
    ann.promote("churn", 1, "Production")
    rehearsed = ann.policies.test(POLICY)
    assert [(m.was, m.would_be) for m in rehearsed.differences] == [("passed", "refused")]
    assert rehearsed.examined == 1
    ann.policies.apply(POLICY)
    shown = ann.policies.show()
    assert (shown.revision, shown.author, shown.source) == (1, "ann", POLICY)
    assert shown.lifecycles[-1].models == ()
    ann.policies.apply(POLICY.replace("tested", "checked"))
    listed = list(ann.policies.list(page_size=1))
    assert [(one.revision, one.author) for one in listed] == [(2, "ann"), (1, "ann")]
    assert ann.policies.show(1) == shown
    assert listed[0].digest == ann.policies.show().digest != shown.digest
    with pytest.raises(sdk.NotFound, match="revision 3"):
        ann.policies.show(3)
    ann.policies.apply(POLICY)
    ann.register("churn", source="s3://elsewhere/model")
    check = ann.policies.check("churn", 2, "Production")
    assert (check.outcome, check.policy) == ("refused", shown.digest)
    with pytest.raises(sdk.InvalidCall, match="line 1"):
        ann.policies.apply("a: {")


def test_a_lifecycle_is_shown_and_what_its_time_is_over_for_is_planned(ann: Client) -> None:
    ann.create_model("churn")
    ann.register("churn", source="s3://elsewhere/model")
    ann.policies.apply(POLICY)
    shown = ann.lifecycles.show("churn")
    production = next(stage for stage in shown.stages if stage.name == shown.production)
    assert (production.single, production.versions) == (True, 0)
    assert next(gate.name for way in production.ways for gate in way.gates) == "tags"
    assert ann.lifecycles.plan() == ann.lifecycles.run() == []
    assert ann.lifecycles.plan("churn")[0].due == ()


def test_documents_have_revisions(ann: Client) -> None:
    ann.create_model("churn")
    ann.register("churn", source="s3://elsewhere/model")
    for text in ("# one", "# two"):
        ann.documents.attach("churn", "latest", "card", text)
    assert [(d.name, d.revision, d.body) for d in ann.documents.list("churn", 1)] == [
        ("card", 2, None)
    ]
    assert ann.documents.get("churn", 1, "card").body == "# two"
    assert ann.documents.get("churn", 1, "card", revision=1).body == "# one"


def test_versions_are_told_apart_resolved_and_raised(ann: Client, folder: Path) -> None:
    ann.create_model("churn")
    ann.register("churn", folder=folder)
    (folder / "MLmodel").write_text("flavors: {better: {}}\n")
    ann.register("churn", folder=folder, tags={"tested": "yes"})
    found = ann.diff("churn", 2)
    assert found == ann.diff("churn", 2, since="churn/1")
    assert found.files is not None
    assert [file.path for file in found.files.changed for file in (file.after,)] == ["MLmodel"]
    assert [(tag.name, tag.before, tag.after) for tag in found.tags] == [("tested", None, "yes")]
    assert (found.bump, found.number.least) == ("major", found.after.semver)
    raised = ann.bump("churn", 2, to="7.0.0")
    for name in ("churn/7.0.0", "churn/~7", "models:/churn/latest", "churn/2"):
        assert ann.resolve(name) == raised
    for name in ("churn", "/3", "churn@"):
        with pytest.raises(sdk.ClientError, match="names no version"):
            ann.resolve(name)


def test_the_journal_is_read_exported_proven_and_verified(ann: Client, tmp_path: Path) -> None:
    for number in range(5):
        ann.create_model(f"m{number}", description="x")
    entries = list(ann.journal.entries(start=1, page_size=2))
    assert [entry.index for entry in entries] == [1, 2, 3, 4]
    assert (entries[0].act, entries[0].texts["actor"]) == ("model:created", "ann")
    assert (entries[0].actor.kind, entries[0].actor.verified) == ("user", False)
    assert list(ann.history("m3")) == [entries[2]]
    status = ann.journal.status()
    assert (status.entries, status.objection) == (5, "")
    report = ann.journal.verify(vkeys=[status.origin.vkey])
    assert (report.intact, report.entries, report.root) == (True, 5, status.root)
    with pytest.raises(ValueError, match="key"):
        ann.journal.verify(vkeys=["none"])
    leaf, root = bytes.fromhex(entries[1].hash), bytes.fromhex(status.root)
    proof = ann.journal.inclusion(2, 5)
    assert verifier.includes(leaf, 2, 5, proof, root)
    assert not verifier.includes(leaf, 3, 5, proof, root)
    assert {len(value) for value in ann.journal.consistency(3, 5)} == {HASH_BYTES}
    exported = verifier.lines_in(str(ann.journal.export(tmp_path / "journal.jsonl")))
    assert verifier.verify(exported).root == status.root
    until_all_is_signed(ann)
    assert [receipt.index for receipt in ann.journal.receipts(entries[1].req)] == [2]


def test_bytes_that_the_server_froze_otherwise_are_told(
    ann: Client, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that changes while it is sent twice: what counts is what the server has."""
    ann.create_model("churn")
    put = ann._transport.put_file

    def and_change(path: str, file: Path) -> tuple[str, int]:
        sent = put(path, file)
        file.write_text("flavors: {other: {}}\n")
        put(path, file)
        return sent

    monkeypatch.setattr(ann._transport, "put_file", and_change)
    with pytest.raises(sdk.Tampered, match="was sent"):
        ann.register("churn", folder=folder)


# -- accounts ----------------------------------------------------------------------------------


def test_an_administrator_makes_accounts_and_tokens(start_server: StartServer) -> None:
    server = start_server("--auth", "on")
    with Client(server.url, token=Office(server).token) as boss:
        boss.accounts.add_user("rob", password=PASSWORD)
        with pytest.raises(sdk.AlreadyExists):
            boss.accounts.add_user("rob")
        boss.accounts.add_service("trainer", owner="rob")
        boss.accounts.grant("rob", "viewer", "model:churn")
        boss.accounts.grant("rob", "reviewer")
        boss.accounts.withhold("rob", "reviewer")
        made = boss.tokens.create("nightly", of="rob", days=3)
        assert [(t.id, t.token) for t in boss.tokens.list("rob")] == [(made.id, None)]
        with Client(server.url, token=made.token or "") as rob:
            me = rob.whoami()
            assert (me.name, me.verified, [g.role for g in me.grants]) == ("rob", True, ["viewer"])
            with pytest.raises(sdk.Forbidden):
                rob.accounts.list()
            rob.accounts.set_password("rob", PASSWORD + "!", current=PASSWORD)
            assert boss.accounts.sign_in("rob", PASSWORD + "!").name == "rob"
            rob.tokens.revoke(made.id)
            with pytest.raises(sdk.Unauthenticated):
                rob.whoami()
        boss.accounts.disable("rob")
        assert [a.disabled for a in boss.accounts.list("user") if a.name == "rob"] == [True]
        boss.accounts.enable("rob")
        boss.accounts.delete("trainer")
        assert boss.accounts.list("service") == []
