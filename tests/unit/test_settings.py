"""Settings: which source wins, what is refused, and where a server without accounts may listen."""

from pathlib import Path
from typing import Any

import pytest

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.stores import Place
from modelkeep.settings import DEFAULTS, check, doubts, is_loopback, read


@pytest.fixture
def config(tmp_path: Path):
    def write(text: str) -> str:
        path = tmp_path / "modelkeep.toml"
        path.write_text(text)
        return str(path)

    return write


def refused(arguments: dict[str, Any], environment: dict[str, str] | None = None) -> str:
    with pytest.raises(InvalidInput) as refusal:
        read(arguments, environment or {})
    return refusal.value.message


def test_without_anything_the_defaults_hold() -> None:
    assert read({}, {}) == DEFAULTS
    assert (DEFAULTS.host, DEFAULTS.port) == ("127.0.0.1", 5000)
    assert DEFAULTS.data_dir == Path("modelkeep-data")
    assert DEFAULTS.auth is False


def test_the_command_line_beats_the_environment_beats_the_file_beats_the_default(config) -> None:
    file = config('port = 1\nhost = "127.0.0.2"\nlog_level = "debug"\n')
    environment = {"MODELKEEP_PORT": "2", "MODELKEEP_HOST": "127.0.0.3"}
    found = read({"port": 3, "config": file}, environment)
    assert (found.port, found.host, found.log_level) == (3, "127.0.0.3", "debug")
    assert found.max_body_bytes == DEFAULTS.max_body_bytes
    assert read({"config": file}, environment).port == 2
    assert read({"config": file}, {}).port == 1


def test_what_the_command_line_does_not_say_does_not_count() -> None:
    assert read({"port": None, "host": None}, {"MODELKEEP_PORT": "7"}).port == 7


def test_the_environment_can_name_the_file(config) -> None:
    file = config("port = 9")
    assert read({}, {"MODELKEEP_CONFIG": file}).port == 9
    other = config("port = 8")
    assert read({"config": other}, {"MODELKEEP_CONFIG": "/nowhere"}).port == 8


def test_every_setting_can_be_given_by_the_environment() -> None:
    environment = {
        "MODELKEEP_HOST": "::1",
        "MODELKEEP_PORT": "0",
        "MODELKEEP_DATA_DIR": "/d",
        "MODELKEEP_DATABASE_URL": "postgresql://u@h/d",
        "MODELKEEP_AUTH": "yes",
        "MODELKEEP_ALLOWED_HOSTS": " Registry.example.org , b,, ",
        "MODELKEEP_MAX_BODY_BYTES": "1000",
        "MODELKEEP_WEBHOOK_ALLOW_PRIVATE": "true",
        "MODELKEEP_MAIL": "smtps://ann:AAAA@mail.example.com",
        "MODELKEEP_MAIL_FROM": "registry@example.com",
        "MODELKEEP_MAIL_PASSWORD": "AAAAA",
        "MODELKEEP_SECRETS_KEY": "A" * 43 + "=",
        "MODELKEEP_SIGNING_KEY": "A" * 42 + "8=",
        "MODELKEEP_LOG_LEVEL": "warning",
        "MODELKEEP_UNKNOWN": "ignored",
        "HOST": "elsewhere",
    }
    found = read({}, environment)
    assert (found.host, found.port, found.data_dir) == ("::1", 0, Path("/d"))
    assert (found.database_url, found.auth) == ("postgresql://u@h/d", True)
    assert found.allowed_hosts == ("registry.example.org", "b")
    assert (found.max_body_bytes, found.log_level) == (1000, "warning")
    assert (found.webhook_allow_private, found.secrets_key) == (True, "A" * 43 + "=")
    assert found.mail_server is not None
    assert (found.mail_server.host, found.mail_server.password) == ("mail.example.com", "AAAAA")
    assert found.signing_key == "A" * 42 + "8="
    assert DEFAULTS.webhook_allow_private is False
    assert "AAAA" not in repr(found)


@pytest.mark.parametrize("name", ["secrets_key", "signing_key"])
@pytest.mark.parametrize("key", ["hunter2", "A" * 44, "A" * 42 + "==", "é" * 43 + "="])
def test_a_key_that_is_none_is_refused_and_not_repeated(key: str, name: str) -> None:
    said = refused({}, {f"MODELKEEP_{name.upper()}": key})
    assert f"{name} must be 32 bytes in base64" in said
    assert key not in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"mail": "smtps://mail.example.com"}, "belong together"),
        ({"mail_from": "registry@example.com"}, "belong together"),
        ({"mail": "smtp://localhost", "mail_from": "Registry"}, "must be an e-mail address"),
        ({"mail": "smtp://a:hunter2@x.example", "mail_from": "a@b"}, "for all on the way to read"),
    ],
)
def test_mail_that_could_not_be_sent_or_would_give_a_password_away_is_refused(
    arguments: dict[str, str], said: str
) -> None:
    told = refused(arguments, {})
    assert said in told
    assert "hunter2" not in told
    assert read({"mail": "smtp://a:b@127.0.0.1", "mail_from": "a@b"}, {}).mail_server


def test_a_file_has_types_of_its_own(config) -> None:
    file = config('auth = true\nallowed_hosts = ["A", "b"]\ndata_dir = "x"\n')
    found = read({"config": file}, {})
    assert (found.auth, found.allowed_hosts) == (True, ("a", "b"))
    assert found.data_dir == Path("x")


@pytest.mark.parametrize("word", ["true", "TRUE", "1", "yes", " on "])
def test_words_for_yes(word: str) -> None:
    assert read({}, {"MODELKEEP_AUTH": word}).auth is True


@pytest.mark.parametrize("word", ["false", "False", "0", "no", "OFF"])
def test_words_for_no(word: str) -> None:
    assert read({}, {"MODELKEEP_AUTH": word}).auth is False


def test_a_misspelt_setting_in_a_file_is_no_default(config) -> None:
    file = config("prot = 1")
    assert "unknown setting 'prot'" in refused({"config": file})
    assert file in refused({"config": file})
    assert "unknown setting 'server'" in refused({"config": config("[server]\nport = 1")})


S3_ROOT = "s3://runs/mlflow"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"default_artifact_root": S3_ROOT}, f"Pass --ingest {S3_ROOT}, too."),
        ({"default_artifact_root": S3_ROOT, "ingest": ["s3://runs/ml"]}, "Pass --ingest"),
        ({"default_artifact_root": S3_ROOT, "artifacts": "s3://runs"}, "apart from --artifacts"),
        ({"default_artifact_root": "gs://runs/mlflow"}, "only from s3://"),
        ({"default_artifact_root": "/srv/runs"}, "only from s3://"),
        ({"default_artifact_root": "s3://Bucket_of_old"}, "only from s3://"),
        ({"default_artifact_root": S3_ROOT, "ingest": ["s3://runs"]}, ""),
        ({"default_artifact_root": "models"}, ""),
        ({"default_artifact_root": "mlflow-artifacts:/models"}, ""),
        ({}, ""),
    ],
)
def test_a_root_that_nothing_is_taken_in_from_is_doubted(given: dict[str, Any], told: str) -> None:
    told_of = doubts(read(given, {}))
    assert len(told_of) == bool(told)
    assert told in "".join(told_of)


def test_a_file_that_is_none_is_refused(config, tmp_path: Path) -> None:
    assert "No such file" in refused({"config": str(tmp_path / "none.toml")})
    assert "not a TOML file" in refused({"config": config("port 1")})
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert "not a TOML file" in refused({"config": str(tmp_path / "binary")})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("port", "a"), ("port", ""), ("port", "70000"), ("port", "-1"), ("port", "1.5")),
        *(("search_timeout_s", "0"), ("search_timeout_s", "soon"), ("search_timeout_s", "1.5")),
        *(("max_body_bytes", "many"), ("max_body_bytes", "0"), ("max_body_bytes", "-5")),
        *(("auth", "maybe"), ("auth", "")),
        *(("database_url", "mysql://h/d"), ("database_url", "sqlite:///x"), ("database_url", "x")),
        *(("log_level", "loud"), ("data_dir", "")),
        *(("log_format", "xml"), ("access_log", "maybe"), ("drain_s", "-1"), ("grace_s", "3601")),
        ("min_free_bytes", "-1"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_name(name: str, value: str) -> None:
    assert name in refused({}, {f"MODELKEEP_{name.upper()}": value})


@pytest.mark.parametrize(
    "line",
    [
        *("port = true", "port = 5000.5", "port = [1]", "max_body_bytes = false"),
        *('auth = ["no"]', "auth = 2", "allowed_hosts = 5"),
        *("allowed_hosts = [1]", "host = 1", "data_dir = 3", "log_level = true", "config = 1"),
    ],
)
def test_a_value_of_another_type_is_not_bent_into_one(config, line: str) -> None:
    assert line.partition(" ")[0] in refused({"config": config(line)})


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.2", "127.255.255.254", "localhost", "::1", "0:0:0:0:0:0:0:1"]
)
def test_a_server_without_accounts_may_listen_on_loopback(host: str) -> None:
    assert read({"host": host}, {}).host == host


@pytest.mark.parametrize(
    "host",
    [
        *("0.0.0.0", "::", "", "192.168.1.1", "10.0.0.1"),
        *("8.8.8.8", "::2", "fe80::1", "example.org"),
        *("127.0.0.1.example.org", "localhost.example.org", "0", "127.1", "2130706433", "0x7f.1"),
        *("127.0.0.1 ", "*", "[::1]", "::ffff:8.8.8.8", "localhost:5000"),
    ],
)
def test_a_server_without_accounts_listens_nowhere_else(host: str) -> None:
    assert not is_loopback(host)
    said = refused({"host": host})
    assert "--auth on" in said
    assert read({"host": host, "auth": "on"}, {}).host == host


def test_settings_are_checked_however_they_were_made() -> None:
    with pytest.raises(InvalidInput):
        check(DEFAULTS.with_values({"host": "0.0.0.0"}, "here"))
    with pytest.raises(InvalidInput, match="here: unknown setting 'prot'"):
        DEFAULTS.with_values({"prot": 1}, "here")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"artifacts": "/mnt/models"}, "no address in an S3 store"),
        ({"artifacts": "s3://Bucket/x"}, "no address in an S3 store"),
        ({"artifacts": "s3://bucket/a//b"}, "no address in an S3 store"),
        ({"ingest": "s3://bucket/../x"}, "no address in an S3 store"),
        ({"artifacts": "s3://bucket/a", "ingest": "s3://bucket"}, "must not overlap"),
        ({"artifacts": "s3://bucket", "ingest": "s3://bucket/a"}, "must not overlap"),
        ({"s3_endpoint_url": "minio:9000"}, "s3_endpoint_url must be"),
        ({"default_artifact_root": "ftp://host/x"}, "Invalid artifact_location"),
    ],
)
def test_stores_that_could_not_be_are_refused(given: dict[str, str], words: str) -> None:
    assert words in refused(given)


def test_a_place_covers_what_lies_under_it_by_whole_segments() -> None:
    place = Place.parse("s3://bucket/models/")
    for uri, is_covered in {
        "s3://bucket/models": True,
        "s3://bucket/models/a/b": True,
        "s3://bucket/models-of-others/a": False,
        "s3://bucket/": False,
        "s3://other/models/a": False,
    }.items():
        assert place.covers(Place.parse(uri)) is is_covered, uri
    assert Place.parse("s3://bucket").covers(place)
    assert (str(place), place.key("x")) == ("s3://bucket/models", "models/x")
