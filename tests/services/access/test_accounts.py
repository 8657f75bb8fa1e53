"""Accounts, tokens and sessions: who is let in, and who no longer."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from modelkeep.domain.access import Actor, Caller, Grant, Kind, Role
from modelkeep.domain.credentials import DAY_MS, TokenKind, mint
from modelkeep.domain.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from modelkeep.protocols.native.paths import PREFIX
from modelkeep.services import accounts
from tests.support.clock import MovedClock
from tests.support.estate import Estate, basic

ME = f"{PREFIX}/whoami"
PASSWORD = "correct horse battery"
HOUR_MS = 3_600_000


def sign_in(estate: Estate, name: str, password: str = PASSWORD) -> str:
    body = {"name": name, "password": password}
    answer = estate.call("POST", f"{PREFIX}/sign-in", json=body)
    return answer.json()["token"] if answer.status_code == 200 else ""


def is_known(estate: Estate, token: str) -> bool:
    return estate.call("GET", ME, token).status_code == 200


def person_with_password(estate: Estate, name: str) -> None:
    body = {"name": name, "password": PASSWORD}
    assert estate.call("POST", f"{PREFIX}/accounts", "boss", body).status_code == 200


def test_no_account_reads_like_another_or_like_the_system(quick: Estate) -> None:
    quick.user("ann")
    for name in ("Ann", "аnn", "a-n-n", "änn"):
        with pytest.raises(AlreadyExists):
            quick.write(accounts.add_user, name, None)
    for name in ("modelkeep", "mode1keep", "Sуstem"):
        with pytest.raises(InvalidInput, match="No account can be named"):
            quick.write(accounts.add_user, name, None)
    for add in (quick.user, lambda name: quick.service(name, "ann")):
        with pytest.raises(InvalidInput, match="No account can be named"):
            add("SageMaker")  # asks for the approvals that its clients vote on
    assert quick.user("anna")


# -- tokens ------------------------------------------------------------------------------------


def test_a_token_comes_by_basic_or_bearer_and_says_who_calls(quick: Estate) -> None:
    token = quick.user("Ann", "viewer prefix:fraud-")
    for header in (basic("Ann", token), basic("", token), basic(" ann ", token),
                   f"Bearer {token}", f"bearer {token}"):  # fmt: skip
        answer = quick.call("GET", ME, headers={"authorization": header})
        assert answer.status_code == 200, header
        assert (answer.json()["name"], answer.json()["verified"]) == ("Ann", True)
        assert answer.json()["grants"] == [{"role": "viewer", "scope": "prefix:fraud-"}]


def test_no_other_header_lets_anybody_in(quick: Estate) -> None:
    token, other = quick.user("ann", "admin"), mint(TokenKind.PERSONAL)
    forged = mint(TokenKind.PERSONAL)
    known_id = type(forged)(TokenKind.PERSONAL, token[4:16], forged.secret)
    retyped = type(forged)(TokenKind.SERVICE, token[4:16], token[17:47])
    for header in (basic("bob", token), basic("ann", ""), basic(token, ""), basic("ann", "-"),
                   f"Bearer {other.text}", f"Bearer {known_id.text}", f"Bearer {retyped.text}",
                   f"Token {token}", token, "", "Basic", "Basic é"):  # fmt: skip
        answer = quick.call("GET", ME, headers={"authorization": header.encode()})  # type: ignore[dict-item]
        assert answer.status_code == 401, header
        assert token not in answer.text


def test_a_token_expires_to_the_millisecond(quick: Estate) -> None:
    quick.user("ann")
    token = quick.token("ann", days=1).text
    quick.clock.advance(DAY_MS - 1)
    assert is_known(quick, token)
    quick.clock.advance(1)
    assert not is_known(quick, token)


def test_a_token_lives_ninety_days_unless_told_and_a_year_at_most(quick: Estate) -> None:
    quick.user("ann")
    path = f"{PREFIX}/accounts/ann/tokens"
    made = quick.call("POST", path, "ann", {"label": "notebook"}).json()
    assert is_known(quick, made["token"])
    quick.clock.advance(int(timedelta(days=90).total_seconds() * 1000))
    assert not is_known(quick, made["token"])
    assert quick.call("POST", path, "boss", {"days": 366}).status_code in (400, 401)


def test_a_revoked_token_is_refused_at_once_and_listed_no_more(estate: Estate) -> None:
    estate.user("ann")
    path = f"{PREFIX}/accounts/ann/tokens"
    made = estate.call("POST", path, "ann", {"label": "notebook"}).json()
    listed = estate.call("GET", path, "ann").json()
    assert [t["label"] for t in listed] == ["notebook", ""]
    assert all("token" not in t for t in listed)
    assert estate.call("DELETE", f"{path}/{made['id']}", "ann").status_code == 204
    assert not is_known(estate, made["token"])
    assert made["id"] not in estate.call("GET", path, "ann").text


def test_only_its_person_its_owner_or_an_admin_has_to_do_with_an_accounts_tokens(
    quick: Estate,
) -> None:
    for name in ("ann", "bob"):
        quick.user(name, "viewer")
    ci = quick.service("ci", "ann", "contributor")
    for whose, by, status in (
        ("ann", "ann", 200), ("ann", "bob", 403), ("ann", "boss", 200), ("ci", "ann", 200),
        ("ci", "bob", 403), ("ci", ci, 403), ("ann", ci, 403), ("nobody", "bob", 403),
        ("nobody", "boss", 404),
    ):  # fmt: skip
        for method in ("GET", "POST"):
            path = f"{PREFIX}/accounts/{whose}/tokens"
            answer = quick.call(method, path, by, {} if method == "POST" else None)
            assert answer.status_code == status, (whose, by, method)
    mine = quick.call("POST", f"{PREFIX}/accounts/bob/tokens", "bob", {}).json()["id"]
    assert quick.call("DELETE", f"{PREFIX}/accounts/ann/tokens/{mine}", "ann").status_code == 404


def test_a_restart_forgets_nobody(quick: Estate) -> None:
    token = quick.user("ann", "viewer model:churn")
    quick.restart()
    assert quick.call("GET", ME, token).json()["grants"] == [
        {"role": "viewer", "scope": "model:churn"}
    ]


# -- people and services -----------------------------------------------------------------------


def test_two_spellings_of_a_name_are_one_account(estate: Estate) -> None:
    estate.user("Ann")
    for name in ("ann", "ＡＮＮ", "A\u0301nn".replace("\u0301", "")):
        with pytest.raises(AlreadyExists):
            estate.write(accounts.add_user, name, None)
    for name in ("", " ann", "a:b", "a/b", "a\nb", "anonymous", "Bootstrap", "x" * 201):
        with pytest.raises(InvalidInput):
            estate.write(accounts.add_user, name, None)


def test_a_disabled_account_is_refused_and_so_are_the_services_it_answers_for(
    estate: Estate,
) -> None:
    ann, ci = estate.user("ann", "viewer"), estate.service("ci", "ann", "contributor")
    assert estate.call("POST", f"{PREFIX}/accounts/ann/disable", "boss").status_code == 200
    assert not is_known(estate, ann)
    assert not is_known(estate, ci)
    assert estate.call("POST", f"{PREFIX}/accounts/ann/enable", "boss").status_code == 200
    assert not is_known(estate, ann)  # its tokens were revoked
    assert is_known(estate, ci)  # these were only as good as their owner


def test_a_deleted_account_leaves_its_deeds_and_not_its_name(estate: Estate) -> None:
    token = estate.user("Wilhelmina", "contributor")
    made = estate.call("POST", "/api/2.0/mlflow/registered-models/create", token, {"name": "m"})
    assert made.status_code == 200
    assert estate.call("DELETE", f"{PREFIX}/accounts/Wilhelmina", "boss").status_code == 204
    assert not is_known(estate, token)
    assert "ilhelmina" not in estate.call("GET", f"{PREFIX}/accounts", "boss").text
    with pytest.raises(AlreadyExists):  # or her deeds would be somebody else's
        estate.write(accounts.add_user, "wilhelmina", None)
    with pytest.raises(NotFound):
        estate.write(accounts.disable, "Wilhelmina")
    report = estate.verify()
    assert report.is_intact
    assert [text for _, text in report.erased] == ["name"]


def test_somebody_can_always_administer_everything(estate: Estate) -> None:
    for last in (
        lambda: estate.write(accounts.disable, "boss"),
        lambda: estate.write(accounts.delete, "boss"),
        lambda: estate.write(accounts.remove_grant, "boss", Grant(Role.ADMIN)),
    ):
        with pytest.raises(Conflict, match="last administrator"):
            last()
    estate.service("robot", "boss", "admin")  # a program is not somebody
    with pytest.raises(Conflict):
        estate.write(accounts.disable, "boss")
    estate.user("vice", "admin")
    with pytest.raises(Conflict, match="answers for robot"):
        estate.write(accounts.delete, "boss")
    estate.write(accounts.disable, "boss")
    assert not is_known(estate, estate.tokens["boss"])


def test_a_service_account_has_a_person_for_owner_and_reviews_nothing(estate: Estate) -> None:
    estate.user("ann")
    estate.service("ci", "ann")
    with pytest.raises(InvalidInput, match="must be a person"):
        estate.write(accounts.add_service, "cd", "ci")
    with pytest.raises(InvalidInput, match="only people review"):
        estate.grant("ci", "reviewer")
    assert estate.call("GET", ME, "ci").json()["on_behalf_of"] == "ann"


# -- passwords and sessions ----------------------------------------------------------------------


def test_a_session_ends_by_signing_out_by_time_and_with_the_password(estate: Estate) -> None:
    person_with_password(estate, "ann")
    first, second = sign_in(estate, "ann"), sign_in(estate, "Ann")
    assert is_known(estate, first)
    assert estate.call("POST", f"{PREFIX}/sign-out", first).status_code == 204
    assert not is_known(estate, first)
    assert is_known(estate, second)
    path, new = f"{PREFIX}/accounts/ann/password", "another good one"
    assert estate.call("PUT", path, second, {"password": new}).status_code == 403
    changed = estate.call("PUT", path, second, {"password": new, "current": PASSWORD})
    assert changed.status_code == 200
    assert not is_known(estate, second)
    assert sign_in(estate, "ann") == ""
    third = sign_in(estate, "ann", new)
    estate.clock.advance(12 * HOUR_MS)
    assert not is_known(estate, third)


def test_a_wrong_name_and_a_wrong_password_are_one_answer_and_soon_none(quick: Estate) -> None:
    person_with_password(quick, "ann")
    quick.user("bob")  # who has no password
    bodies = [{"name": n, "password": p} for n in ("ann", "bob", "eve") for p in ("no", "wrong")]
    answers = [quick.call("POST", f"{PREFIX}/sign-in", json=body) for body in bodies]
    assert {(a.status_code, a.content) for a in answers} == {(401, answers[0].content)}
    for _ in range(8):
        assert quick.call("POST", f"{PREFIX}/sign-in", json=bodies[0]).status_code == 401
    assert quick.call("POST", f"{PREFIX}/sign-in", json=bodies[0]).status_code == 429
    assert sign_in(quick, " ANN") == ""  # another spelling is the same person
    quick.clock.advance(HOUR_MS)
    assert sign_in(quick, "ann") != ""


def test_a_password_that_is_too_short_is_refused_and_never_repeated(quick: Estate) -> None:
    for password in ("hunter2", "x" * 201):
        body = {"name": "ann", "password": password}
        answer = quick.call("POST", f"{PREFIX}/accounts", "boss", body)
        assert answer.status_code == 400
        assert password not in answer.text


# -- the first administrator ---------------------------------------------------------------------


def test_a_bootstrap_token_makes_one_administrator_from_this_machine_alone(
    estate: Estate,
) -> None:
    token = mint(TokenKind.BOOTSTRAP)
    estate.running.writer.run(accounts.recover, token)
    estate.running.directory.reload()
    path, body = f"{PREFIX}/first-admin", {"name": "ann", "password": PASSWORD}
    assert estate.call("POST", path, token.text, body, client="10.0.0.9").status_code == 401
    proxied = {"x-forwarded-for": "10.0.0.9"}
    assert estate.call("POST", path, token.text, body, headers=proxied).status_code == 401
    assert estate.call("POST", f"{PREFIX}/accounts", token.text, body).status_code == 403
    assert estate.call("POST", path, "boss", body).status_code == 403
    assert estate.call("POST", path, token.text, body).status_code == 200
    assert estate.call("POST", path, token.text, body | {"name": "eve"}).status_code == 401
    assert estate.call("GET", f"{PREFIX}/accounts", sign_in(estate, "ann")).status_code == 200


def test_a_bootstrap_token_is_void_after_an_hour_or_when_another_was_used(quick: Estate) -> None:
    first, second, late = (mint(TokenKind.BOOTSTRAP) for _ in range(3))
    for token in (first, second):  # of two replicas
        quick.running.writer.run(accounts.recover, token)
    quick.running.directory.reload()
    path, body = f"{PREFIX}/first-admin", {"name": "ann", "password": PASSWORD}
    assert quick.call("POST", path, first.text, body).status_code == 200
    assert not is_known(quick, second.text)
    quick.running.writer.run(accounts.recover, late)
    quick.running.directory.reload()
    quick.clock.advance(HOUR_MS)
    assert not is_known(quick, late.text)


# -- what is kept --------------------------------------------------------------------------------


def test_no_secret_is_kept_anywhere(quick: Estate, caplog: pytest.LogCaptureFixture) -> None:
    person_with_password(quick, "ann")
    session = sign_in(quick, "ann")
    made = quick.call("POST", f"{PREFIX}/accounts/ann/tokens", session, {}).json()["token"]
    quick.call("GET", "/api/2.0/mlflow/registered-models/get?name=none", made)
    told = quick.call("GET", f"{PREFIX}/journal/entries", "boss").text
    told += quick.call("GET", f"{PREFIX}/journal/export", "boss").text
    told += quick.call("GET", f"{PREFIX}/accounts", "boss").text + caplog.text
    stored = b"".join(path.read_bytes() for path in quick.folder.rglob("*") if path.is_file())
    for secret in (PASSWORD, session, made, session[17:47], made[17:47]):
        assert secret not in told
        assert secret.encode() not in stored
    assert b"$argon2id$" in stored
    assert "argon2" not in told


def test_the_journal_says_who_was_known_and_who_only_claimed(quick: Estate) -> None:
    quick.user("ann", "contributor")
    quick.service("ci", "ann", "contributor")
    for by, name in (("ann", "a"), ("ci", "b")):
        quick.call("POST", "/api/2.0/mlflow/registered-models/create", by, {"name": name})
    entries = quick.call("GET", f"{PREFIX}/journal/entries?limit=1000", "boss").json()
    made = [e for e in entries if e["act"] == "model:created"]
    assert [e["actor"] for e in made] == [
        {"kind": "user", "verified": True},
        {"kind": "service", "verified": True},
    ]
    assert [e["texts"].get("on_behalf_of") for e in made] == [None, "ann"]


def test_when_a_token_was_last_used_is_noted_to_the_hour(quick: Estate) -> None:
    token = quick.user("ann")
    assert is_known(quick, token)
    quick.running.directory._note_use()
    (listed,) = quick.call("GET", f"{PREFIX}/accounts/ann/tokens", token).json()
    assert listed["used"] == "2026-11-16T12:00:00.000Z"


def test_a_system_account_is_nobodys(quick: Estate) -> None:
    """Who acts for the server itself is no account that could be granted anything."""
    assert accounts.SYSTEM == Caller(Actor("system", verified=True, kind=Kind.SYSTEM))
    with pytest.raises(NotFound):
        quick.grant("system", "admin")


def test_with_auth_off_nobody_prepares_an_account_for_later(
    new_file: Path, tmp_path: Path, clock: MovedClock
) -> None:
    (tmp_path / "data").mkdir()
    shutil.copyfile(new_file, tmp_path / "data" / "modelkeep.db")
    open_to_all = Estate(tmp_path / "data", "", clock, auth=False)
    body = {"name": "eve", "password": PASSWORD}
    for path in ("/accounts", "/sign-in", "/accounts/boss/tokens", "/accounts/boss/grants"):
        given = {"/accounts/boss/tokens": {}, "/accounts/boss/grants": {"role": "admin"}}
        answer = open_to_all.call("POST", PREFIX + path, json=given.get(path, body))
        assert answer.status_code == 409, path
    assert open_to_all.call("GET", ME).json()["verified"] is False
    open_to_all.close()
