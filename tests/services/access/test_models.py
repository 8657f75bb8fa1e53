"""Who may do what with which model, in both dialects; and who cannot know that there is one."""

import itertools
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelkeep.domain.access import Access, Grant, Reach, Role, Scope, Verb
from modelkeep.domain.errors import NotFound
from modelkeep.domain.search import Order
from modelkeep.ports.work import Work
from modelkeep.protocols.native.paths import PREFIX
from modelkeep.services import accounts, listings, registry
from tests.support.estate import Estate, access_of

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
RUN_FILE = "model/weights"


def made(estate: Estate, path: str, by: str = "boss", **body: Any) -> Any:
    answer = estate.call("POST", f"{API}/{path}", by, body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def model(estate: Estate, name: str, **tags: str) -> str:
    """A model with one version that has one file; the run that the version is from."""
    pairs = [{"key": key, "value": value} for key, value in tags.items()]
    made(estate, "registered-models/create", name=name, tags=pairs)
    run = made(estate, "runs/create", experiment_id="0")["run"]["info"]["run_id"]
    path = f"{FILES}/0/{run}/artifacts/{RUN_FILE}"
    assert estate.put(path, b"weights", "boss").status_code == 200
    source = f"runs:/{run}/model"
    made(estate, "model-versions/create", name=name, source=source, run_id=run)
    return run


# A call on the model `churn`: what it needs, its method, its path and its body.
Call = tuple[Verb, str, str, dict[str, Any] | None]
N = "name=churn"
CALLS: dict[str, Call] = {
    "get": (Verb.READ, "GET", f"{API}/registered-models/get?{N}", None),
    "latest": (Verb.READ, "GET", f"{API}/registered-models/get-latest-versions?{N}", None),
    "get version": (Verb.READ, "GET", f"{API}/model-versions/get?{N}&version=1", None),
    "uri": (Verb.READ, "GET", f"{API}/model-versions/get-download-uri?{N}&version=1", None),
    "alias": (Verb.READ, "GET", f"{API}/registered-models/alias?{N}&alias=champion", None),
    "versions": (Verb.READ, "GET", f"{PREFIX}/models/churn/versions", None),
    "lineage": (Verb.READ, "GET", f"{PREFIX}/models/churn/versions/1/lineage", None),
    "files": (Verb.READ, "GET", f"{PREFIX}/models/churn/versions/1/artifacts", None),
    "comparison": (Verb.READ, "GET", f"{PREFIX}/models/churn/comparison", None),
    "history": (Verb.READ, "GET", f"{PREFIX}/models/churn/history", None),
    "at": (Verb.READ, "GET", f"{PREFIX}/models/churn/at?time=2026-11-16T12:00", None),
    "content": (
        Verb.DOWNLOAD, "GET", f"{PREFIX}/models/churn/versions/1/content?path=weights", None,
    ),
    "page": (
        Verb.DOWNLOAD, "GET", f"/model-versions/get-artifact?{N}&version=1&path=weights", None,
    ),
    "describe": (
        Verb.WRITE, "PATCH", f"{API}/registered-models/update",
        {"name": "churn", "description": "d"},
    ),
    "tag": (
        Verb.WRITE, "POST", f"{API}/registered-models/set-tag",
        {"name": "churn", "key": "k", "value": "v"},
    ),
    "untag": (
        Verb.WRITE, "DELETE", f"{API}/registered-models/delete-tag", {"name": "churn", "key": "k"},
    ),
    "register": (
        Verb.WRITE, "POST", f"{API}/model-versions/create", {"name": "churn", "source": "s3://b/x"},
    ),
    "describe version": (
        Verb.WRITE, "PATCH", f"{API}/model-versions/update",
        {"name": "churn", "version": "1", "description": "d"},
    ),
    "tag version": (
        Verb.WRITE, "POST", f"{API}/model-versions/set-tag",
        {"name": "churn", "version": "1", "key": "k", "value": "v"},
    ),
    "set alias": (
        Verb.PROMOTE, "POST", f"{API}/registered-models/alias",
        {"name": "churn", "alias": "champion", "version": "1"},
    ),
    "stage": (
        Verb.PROMOTE, "POST", f"{API}/model-versions/transition-stage",
        {"name": "churn", "version": "1", "stage": "Staging"},
    ),
    "promote": (
        Verb.PROMOTE, "POST", f"{PREFIX}/promotions",
        {"model": "churn", "version": 1, "stage": "Staging"},
    ),
    "drop alias": (
        Verb.PROMOTE, "DELETE", f"{API}/registered-models/alias",
        {"name": "churn", "alias": "other"},
    ),
    "drop version": (
        Verb.WRITE, "DELETE", f"{API}/model-versions/delete", {"name": "churn", "version": "9"},
    ),
}  # fmt: skip
ROLES = {
    "restricted_viewer": {Verb.READ},
    "viewer": {Verb.READ, Verb.DOWNLOAD},
    "contributor": {Verb.READ, Verb.DOWNLOAD, Verb.WRITE, Verb.PROMOTE},
    "reviewer": {Verb.READ, Verb.DOWNLOAD, Verb.APPROVE},
    "deployer": {Verb.READ, Verb.DOWNLOAD, Verb.PROMOTE, Verb.DEPLOY},
    "admin": set(Verb),
}
SCOPES = ("model:churn", "prefix:ch", "tag:team=risk", "*")
ELSEWHERE = ("model:other", "prefix:churn2", "tag:team=other", "tag:risk=team")


def asked(estate: Estate, call: str, by: str, name: str = "churn") -> httpx.Response:
    _, method, path, body = CALLS[call]
    if body is not None:
        body = {k: name if v == "churn" else v for k, v in body.items()}
    return estate.call(method, path.replace("churn", name), by, body)


@pytest.fixture
def churn(quick: Estate) -> Estate:
    model(quick, "churn", team="risk")
    asked(quick, "set alias", "boss")
    return quick


@pytest.mark.parametrize("role", ROLES)
def test_a_role_does_what_it_may_on_its_scope_and_meets_nothing_beyond(
    churn: Estate, role: str
) -> None:
    for i, scope in enumerate(SCOPES):
        churn.user(f"u{i}", f"{role} {scope}")
    for i, scope in enumerate(ELSEWHERE):
        churn.user(f"e{i}", f"{role} {scope}")
    for call, (verb, *_) in CALLS.items():
        for i in range(len(SCOPES)):
            answer = asked(churn, call, f"u{i}")
            if verb in ROLES[role]:
                assert answer.status_code in (200, 404 if call == "drop version" else 200), call
            else:
                assert answer.status_code == 403, (call, i)
                assert "Permission denied" in answer.text
        for i in range(len(ELSEWHERE)):
            hidden, absent = asked(churn, call, f"e{i}"), asked(churn, call, f"e{i}", "churm")
            assert hidden.status_code in (400, 404), (call, i)
            assert hidden.content.replace(b"churn", b"churm") == absent.content, call
            assert hidden.headers.raw == absent.headers.raw


def test_making_a_model_takes_a_role_on_its_name_or_on_its_tag(quick: Estate) -> None:
    quick.user("ann", "contributor prefix:fraud-", "viewer")
    quick.user("rob", "contributor tag:team=risk")
    path = f"{API}/registered-models/create"
    risk, other = [{"key": "team", "value": "risk"}], [{"key": "team", "value": "other"}]
    for by, body, status in (
        ("ann", {"name": "fraud-eu"}, 200), ("ann", {"name": "churn"}, 403),
        ("ann", {"name": "fraud-us", "tags": risk}, 403),  # it would let risk's people in
        ("rob", {"name": "churn", "tags": risk}, 200), ("rob", {"name": "x"}, 403),
        ("rob", {"name": "x", "tags": other}, 403),
        ("rob", {"name": "x", "tags": risk + other}, 403),
        ("boss", {"name": "y", "tags": other}, 200),
    ):  # fmt: skip
        assert quick.call("POST", path, by, body).status_code == status, (by, body)
    rename = {"name": "fraud-eu", "new_name": "churn-eu"}
    assert quick.call("POST", f"{API}/registered-models/rename", "ann", rename).status_code == 403
    rename["new_name"] = "fraud-uk"
    assert quick.call("POST", f"{API}/registered-models/rename", "ann", rename).status_code == 200


def test_a_tag_that_decides_who_may_is_changed_by_an_admin_alone(churn: Estate) -> None:
    """Or whoever may write a model could give it to another team, or take one of theirs."""
    churn.user("ann", "contributor model:churn", "admin model:churn", "deployer tag:team=risk")
    body = {"name": "churn", "key": "team", "value": "mine"}
    for path, method in (("set-tag", "POST"), ("delete-tag", "DELETE")):
        url = f"{API}/registered-models/{path}"
        assert churn.call(method, url, "ann", body).status_code == 403
        assert churn.call(method, url, "ann", body | {"key": "colour"}).status_code == 200
        assert churn.call(method, url, "boss", body).status_code == 200


def test_taking_a_models_tag_away_shuts_its_project_out_at_once(estate: Estate) -> None:
    model(estate, "churn", team="risk")
    estate.user("ann", "viewer tag:team=risk")
    url = f"{API}/registered-models/get?name=churn"
    assert estate.call("GET", url, "ann").status_code == 200
    body = {"name": "churn", "key": "team"}
    estate.call("DELETE", f"{API}/registered-models/delete-tag", "boss", body)
    assert estate.call("GET", url, "ann").status_code == 404


# -- bytes ---------------------------------------------------------------------------------------


def test_a_restricted_viewer_gets_no_bytes_by_any_way(churn: Estate) -> None:
    run = model(churn, "second")
    churn.user("eve", "restricted_viewer")
    churn.user("ann", "viewer")
    uri = churn.call("GET", f"{API}/model-versions/get-download-uri?name=churn&version=1", "eve")
    own = uri.json()["artifact_uri"].removeprefix("mlflow-artifacts:/")
    in_run = f"0/{run}/artifacts/{RUN_FILE}"
    ways = [
        ("GET", f"{FILES}/{own}/weights"), ("HEAD", f"{FILES}/{own}/weights"),
        ("GET", f"{FILES}/{in_run}"), ("GET", f"/get-artifact?run_id={run}&path={RUN_FILE}"),
        ("GET", f"/api/2.0/mlflow-artifacts/presigned/{own}/weights"),
        ("GET", "/model-versions/get-artifact?name=churn&version=1&path=weights"),
        ("GET", f"{PREFIX}/models/churn/versions/1/content?path=weights"),
        ("HEAD", f"{PREFIX}/models/churn/versions/1/content?path=weights"),
        ("POST", f"{API}/artifacts/presigned-download-url"),
    ]  # fmt: skip
    for method, path in ways:
        body = {"run_id": run, "path": RUN_FILE} if method == "POST" else None
        assert churn.call(method, path, "eve", body).status_code == 403, path
        assert churn.call(method, path, "ann", body).status_code in (200, 204), path
    assert churn.call("GET", f"{API}/artifacts/list?run_id={run}", "eve").json()["files"]
    assert churn.call("GET", f"{FILES}?path={own}", "eve").json()["files"]


def test_who_may_not_download_a_model_cannot_copy_it_into_their_own(churn: Estate) -> None:
    churn.user("eve", "restricted_viewer model:churn", "contributor prefix:eve-")
    churn.user("mal", "contributor prefix:mal-")
    own = "mlflow-artifacts:/modelkeep/versions/1"
    for by, status in (("eve", 403), ("mal", 404)):
        made(churn, "registered-models/create", by=by, name=f"{by}-1")
        for source in ("models:/churn/1", "models:/churn@champion", own):
            body = {"name": f"{by}-1", "source": source, "run_id": "x"}
            body.pop("run_id") if source != own else None
            answer = churn.call("POST", f"{API}/model-versions/create", by, body)
            assert answer.status_code in (status, 400), (by, source, answer.text)
            assert answer.status_code != 200
    found = churn.call("GET", f"{API}/model-versions/search", "eve").json()["model_versions"]
    assert [v["name"] for v in found] == ["churn"]


# -- what cannot be seen -------------------------------------------------------------------------


def everything_eve_sees(estate: Estate, logged: str) -> list[tuple[int, bytes]]:
    ways = [
        ("GET", f"{API}/registered-models/search"),
        ("GET", f"{API}/registered-models/search?max_results=1&order_by=last_updated_timestamp"),
        ("GET", f"{API}/registered-models/search?filter=name LIKE '%25'"),
        ("GET", f"{API}/registered-models/search?filter=tags.team = 'risk'"),
        ("GET", f"{API}/registered-models/get?name=hidden"),
        ("GET", f"{API}/model-versions/search"),
        ("GET", f"{API}/model-versions/search?max_results=2"),
        ("GET", f"{API}/model-versions/search?filter=name='hidden'"),
        ("GET", f"{API}/model-versions/search?filter=tags.k = 'v'"),
        ("GET", f"{API}/model-versions/get?name=hidden&version=1"),
        ("GET", f"{API}/registered-models/alias?name=hidden&alias=champion"),
        ("GET", f"{PREFIX}/models"), ("GET", f"{PREFIX}/models?limit=1"),
        ("GET", f"{PREFIX}/models?filter=tags.team = 'risk'"),
        ("GET", f"{PREFIX}/models/hidden/history"),
        ("GET", f"{PREFIX}/models/hidden/at?time=2026-11-16T12:00"),
        ("GET", f"{PREFIX}/models/hidden/versions/1/lineage"), ("GET", f"{PREFIX}/requests"),
        ("GET", f"{PREFIX}/requests/1"), ("GET", f"{PREFIX}/journal/entries"),
        ("GET", f"{PREFIX}/models/seen-1/versions/1/lineage"), ("GET", f"{PREFIX}/webhooks"),
        ("GET", f"{API}/logged-models/{logged}"),
        ("GET", f"{FILES}/modelkeep/versions/3/weights"), ("GET", f"{PREFIX}/policy"),
    ]  # fmt: skip
    query = "{mlflowSearchModelVersions(input: {}) {modelVersions {name version}}}"
    answers = [estate.call(method, path, "eve") for method, path in ways]
    answers.append(estate.call("POST", "/graphql", "eve", {"query": query}))
    return [(answer.status_code, answer.content) for answer in answers]


GUARDED = "{stage_transitions: {None -> Production: {approval_required: true}}}"
POLICY = {"source": f"model_registry: {GUARDED}"}


def test_a_model_that_one_may_not_see_changes_no_byte_that_one_gets(estate: Estate) -> None:
    estate.user("eve", "viewer prefix:seen-", "viewer tag:team=risk")
    for name in ("seen-1", "seen-2"):
        model(estate, name, colour="red")
    logged = made(estate, "logged-models", experiment_id="0", name="n")["model"]["info"]["model_id"]
    one = {"source": f"models:/{logged}", "model_id": logged}
    made(estate, "model-versions/create", name="seen-1", **one)
    before = everything_eve_sees(estate, logged)
    assert before[0][0] == 200
    assert b"seen-2" in before[0][1]
    model(estate, "hidden", team="fraud")
    made(estate, "model-versions/create", name="hidden", **one)
    made(estate, "model-versions/create", name="hidden", source="models:/seen-1/1")
    made(estate, "model-versions/set-tag", name="hidden", version="2", key="k", value="v")
    made(estate, "registered-models/alias", name="hidden", alias="champion", version="1")
    for name in ("aaa", "zzz", "seen"):
        model(estate, name, team="risks")
    stage = {"name": "hidden", "version": "1", "stage": "Staging"}
    assert estate.call("POST", f"{API}/model-versions/transition-stage", "boss", stage).is_success
    assert everything_eve_sees(estate, logged) == before


NAMES = ("a", "ab", "abc", "b", "A", "a%", "é", "éa")
TAGS = (("k", "v"), ("k", "w"), ("l", "v"))
scopes = st.one_of(
    st.builds(Scope, st.just(Reach.MODEL), st.sampled_from(NAMES)),
    st.builds(Scope, st.just(Reach.PREFIX), st.sampled_from((*NAMES, "ac"))),
    st.sampled_from([Scope(Reach.TAG, value, key) for key, value in TAGS]),
)
grants = st.lists(st.builds(Grant, st.sampled_from(Role), scopes), max_size=3)


def test_what_the_database_shows_is_what_the_grants_allow(estate: Estate) -> None:
    """Two spellings of one predicate, held against each other."""
    models: dict[str, dict[str, str]] = {}
    for name, i in zip(NAMES, itertools.count(), strict=False):
        models[name] = dict([TAGS[i % 3]] if i % 4 else [])
        pairs = [{"key": k, "value": v} for k, v in models[name].items()]
        made(estate, "registered-models/create", name=name, tags=pairs)
        made(estate, "model-versions/create", name=name, source="s3://b/x")

    def shown(work: Work, access: Access) -> None:
        seen = work.seen_by(access)
        allowed = {n for n, tags in models.items() if access.may(Verb.READ, n, tags)}
        listed = listings.models(seen, [], "", 100)
        assert {one.model.name for one in listed} == allowed
        order = [Order("attribute", "last_updated_timestamp", False)]
        versions = registry.search_versions(seen, [], order, 100).items
        assert {version.model_name for version in versions} == allowed
        for name, tags in models.items():
            found = work.models.get(name)
            assert found is not None
            assert (seen.models.get(name) is not None) == (name in allowed)
            assert (seen.models.find(name) is not None) == (name in allowed)
            assert (seen.versions.by_id(versions_of[name]) is not None) == (name in allowed)
            bytes_too = access.may(Verb.DOWNLOAD, name, tags)
            assert seen.models.gives_bytes(found.id) == bytes_too

    versions_of = {
        v.model_name: v.id
        for v in estate.running.reader.run(registry.search_versions, [], [], 100).items
    }

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.nested_given, HealthCheck.too_slow],
    )
    @given(grants)
    def check(given_grants: list[Grant]) -> None:
        estate.running.reader.run(shown, Access(tuple(given_grants)))

    check()


# -- four eyes -----------------------------------------------------------------------------------


def test_approving_takes_a_reviewer_who_is_another_person(estate: Estate) -> None:
    estate.user("ann", "contributor", "reviewer")
    estate.user("bob", "reviewer model:churn")
    estate.user("eve", "reviewer model:other")
    estate.user("own", "reviewer")
    estate.service("ci", "own", "contributor")
    made(estate, "registered-models/create", name="churn")
    assert estate.call("POST", f"{PREFIX}/policy", "ann", POLICY).status_code == 403
    assert estate.call("POST", f"{PREFIX}/policy", "boss", POLICY).status_code == 200
    for number, by in ((1, "ann"), (2, "ci")):
        made(estate, "model-versions/create", by=by, name="churn", source=f"s3://b/{number}")
        order = {"model": "churn", "version": number, "stage": "Production"}
        waits = estate.call("POST", f"{PREFIX}/promotions", by, order)
        assert waits.json()["result"] == "waiting", waits.text
    second = estate.token("ann").text
    robot = estate.token("ci").text
    for request, by, status in (
        (1, "eve", 404), (1, "ann", 403), (1, second, 403), (2, "own", 403), (2, robot, 403),
        (1, "bob", 200), (2, "bob", 200),
    ):  # fmt: skip
        path = f"{PREFIX}/requests/{request}/approve"
        answer = estate.call("POST", path, by, {"comment": "ok"})
        assert answer.status_code == status, (request, by, answer.text)


def test_a_name_that_is_taken_by_what_one_cannot_see_is_taken(quick: Estate) -> None:
    model(quick, "churn", team="fraud")
    quick.user("rob", "contributor tag:team=risk")
    body = {"name": "churn", "tags": [{"key": "team", "value": "risk"}]}
    answer = quick.call("POST", f"{API}/registered-models/create", "rob", body)
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "RESOURCE_ALREADY_EXISTS"


def test_grants_are_by_name_and_outlive_no_account(quick: Estate) -> None:
    assert access_of("viewer").may(Verb.READ)
    quick.user("ann", "viewer")
    quick.write(accounts.delete, "ann")
    with pytest.raises(NotFound):
        quick.grant("ann", "viewer")
    assert all(
        row.account_id == 1 for row in quick.running.reader.run(lambda w: w.accounts.granted())
    )
