"""Servers over one PostgreSQL that share nothing else but what their settings say."""

import base64
import os
from pathlib import Path

import httpx
import pytest

from tests.conftest import StartServer
from tests.support.postgres import Postgres

API = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts"


@pytest.mark.postgresql
def test_an_address_that_one_has_signed_holds_where_the_key_is_the_same(
    start_server: StartServer, postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.create_database()
    shared = {"MODELKEEP_SIGNING_KEY": base64.b64encode(os.urandom(32)).decode()}
    files = tmp_path / "files"
    one, two = (start_server(database_url=url, env=shared, data_dir=files) for _ in range(2))
    stranger = start_server(database_url=url, data_dir=files)
    with httpx.Client(trust_env=False) as http:
        run = http.post(f"{one.url}{API}/runs/create", json={"experiment_id": "0"}).json()["run"]
        path = run["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/") + "/f"
        assert http.put(f"{one.url}{ARTIFACTS}/artifacts/{path}", content=b"b").status_code == 200
        given = http.get(f"{one.url}{ARTIFACTS}/presigned/{path}").json()["url"]
        answers = [http.get(given.replace(one.url, s.url)) for s in (one, two, stranger)]
    assert [answer.status_code for answer in answers] == [200, 200, 403]
    postgres.drop_database(url)
