"""The Compose file: against its specification's schema, and our part of it against ourselves."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.deploying import (
    DEPLOY,
    check_command,
    check_environment,
    longest_stop_s,
    outcome,
    program,
)

FILE = DEPLOY / "compose" / "compose.yaml"
IMAGE = DEPLOY / "container" / "Dockerfile"
GIVEN = {"POSTGRES_PASSWORD": "hunter2"}
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*)|:\?[^}]*)?\}")


def interpolated(text: str) -> str:
    """As Compose does it, for the forms that are used."""
    return _VARIABLE.sub(lambda m: GIVEN.get(m["name"]) or m["default"], text)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return yaml.safe_load(interpolated(FILE.read_text()))["services"]


def ours(services: dict[str, Any]) -> dict[str, Any]:
    return {name: s for name, s in services.items() if s["image"] == "modelkeep"}


def check_schema(file: Path) -> tuple[int, str]:
    return outcome(program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", file)


def test_it_is_what_the_specification_allows() -> None:
    assert check_schema(FILE)[0] == 0, check_schema(FILE)[1]


def test_a_word_that_compose_does_not_know_would_be_found(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(FILE.read_text().replace("stop_signal:", "stop_signals:"))
    code, said = check_schema(wrong)
    assert code == 1
    assert "stop_signals" in said


def test_each_process_is_a_command_with_settings_of_modelkeep(services: dict[str, Any]) -> None:
    of_image = dict(re.findall(r"(MODELKEEP_\w+)=(\S+)", IMAGE.read_text()))
    assert {s["command"][0] for s in ours(services).values()} == {"serve", "work", "migrate"}
    for service in ours(services).values():
        check_command(service["command"])
        settings = check_environment(of_image | service["environment"])
        assert settings.auth
        assert f"modelkeep:{GIVEN['POSTGRES_PASSWORD']}@postgres/" in settings.database_url
        assert f"data:{settings.data_dir}" in service["volumes"]


def test_the_images_health_check_finds_the_worker_too(services: dict[str, Any]) -> None:
    of_image = dict(re.findall(r"(MODELKEEP_\w+)=(\S+)", IMAGE.read_text()))
    (work,) = (s for s in ours(services).values() if s["command"][0] == "work")
    assert work["command"][1:] == ["--metrics-port", of_image["MODELKEEP_PORT"]]
    assert "healthcheck" not in work


def test_servers_start_on_migrated_tables_and_the_proxy_on_servers(
    services: dict[str, Any],
) -> None:
    servers = {n for n, s in ours(services).items() if s["command"] == ["serve"]}
    assert len(servers) == 2
    assert set(services["proxy"]["depends_on"]) == servers
    for name, service in ours(services).items():
        needed = {n: need["condition"] for n, need in service["depends_on"].items()}
        assert needed.pop("postgres") == "service_healthy"
        assert needed == (
            {} if name == "migrate" else {"migrate": "service_completed_successfully"}
        )


def test_nobody_is_killed_before_its_time(services: dict[str, Any]) -> None:
    for service in ours(services).values():
        has_s = int(service["stop_grace_period"].removesuffix("s"))
        assert has_s > longest_stop_s(check_environment(service["environment"]))


def test_the_proxy_is_the_one_of_the_example_before_both_servers(services: dict[str, Any]) -> None:
    mounted = [m.split(":")[0] for m in services["proxy"]["volumes"]]
    assert mounted == ["../proxy/modelkeep.conf", "./upstream.conf"]
    for file in mounted:
        assert (FILE.parent / file).is_file()
    upstream = (FILE.parent / "upstream.conf").read_text()
    named = re.findall(r"^ +server ([\w-]+):(\d+) ", upstream, re.MULTILINE)
    port = re.findall(r"^EXPOSE (\d+)$", IMAGE.read_text(), re.MULTILINE)
    assert named == [("server-1", *port), ("server-2", *port)]
    assert {name for name, _ in named} <= ours(services).keys()


def test_what_publishes_a_port_does_so_on_this_machine_alone(services: dict[str, Any]) -> None:
    published = {name: s["ports"] for name, s in services.items() if "ports" in s}
    assert published == {"proxy": ["127.0.0.1:8080:80"]}
