"""Every setting, its unit and its default; read once, at the start.

A setting comes from, in this order: the command line, the environment (`MODELKEEP_` and the name
in capitals), a TOML file (`--config FILE` or `MODELKEEP_CONFIG`), the default. A name that is
not known, in a file, is refused: a misspelt setting must not pass for a default. In the
environment, which is not ours alone, it is warned of.
"""

import base64
import binascii
import difflib
import ipaddress
import os
import re
import socket
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from modelkeep.domain.accounts import check_number
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.locations import PROXIED, artifact_location
from modelkeep.domain.mail import MailServer, check_address
from modelkeep.domain.notes import WITNESS_KIND, PublicKey, check_name
from modelkeep.domain.stores import SCHEME, Place

PREFIX = "MODELKEEP_"
COMMAND_NAMES = ("URL", "USER", "TOKEN")  # what the commands that ask a server read
_PUBLIC_URL = re.compile(r"https?://[\w.:\[\]\-]+(/[\w.~\-]+)*/?", re.ASCII)
WORKERS_LIMIT = 64
LOG_LEVELS = ("critical", "error", "warning", "info", "debug")
LOG_FORMATS = ("text", "json")
STOP_LIMIT_S = 3600


@dataclass(frozen=True, slots=True)
class Settings:
    """What `modelkeep serve` needs to know."""

    host: str = "127.0.0.1"
    port: int = 5000
    data_dir: Path = Path("modelkeep-data")
    database_url: str = ""  # empty: SQLite in the data directory
    workers: int = 1  # processes that serve; more than one need PostgreSQL
    artifacts: str = ""  # s3://bucket/prefix for large files; empty: the data directory
    s3_endpoint_url: str = ""  # of the S3 store; empty: AWS's, or what its own variables say
    direct_transfers: bool = True  # give clients addresses of the S3 store itself, where MLflow can
    default_artifact_root: str = ""  # where clients put a new experiment's files; empty: here
    ingest: tuple[str, ...] = ()  # s3://bucket/prefix whose files become versions' own bytes
    auth: bool = False  # ask everybody for a token; without it user names are claims
    aws_account: str = "000000000000"  # 12 digits: of access keys that were made for no other
    allowed_hosts: tuple[str, ...] = ()  # Host headers, beyond loopback and addresses
    public_url: str = ""  # how clients reach this server, if a proxy does not tell
    max_body_bytes: int = 20 * 1024 * 1024  # of a JSON body; artifacts are not limited by it
    search_timeout_s: int = 30  # a search that takes longer, or waits longer, is given up
    upload_days: int = 7  # after which an upload that nobody registered is cleared away
    webhook_allow_private: bool = False  # deliver to http: and to addresses that are not public
    mail: str = field(default="", repr=False)  # smtps://user:password@host:port; empty: no e-mail
    mail_password: str = field(default="", repr=False)  # in the place of one in `mail`
    mail_from: str = ""  # the address that e-mail is sent from
    secrets_key: str = field(default="", repr=False)  # 32 bytes in base64; empty: a file of ours
    signing_key: str = field(default="", repr=False)  # likewise; of addresses that we sign
    journal_key: Path | None = None  # signs checkpoints; None: journal.key in the data directory
    journal_origin: str = ""  # the name that it signs under, from the first time on; empty: ours
    witnesses: tuple[str, ...] = ()  # who cosigns checkpoints: URL=vkey
    min_free_bytes: int = 100 * 1024 * 1024  # on the data directory's disk; else it is not ready
    drain_s: int = 0  # after SIGTERM: not ready any more, and still taking requests
    grace_s: int = 10  # then, for the requests that are under way
    log_level: str = "info"
    log_format: str = "text"  # or json
    access_log: bool = False  # a line for each request
    metrics_port: int = 0  # where `work` answers who watches it, on `host`; 0: nobody
    config: Path | None = field(default=None, compare=False)

    def with_values(self, values: Mapping[str, Any], origin: str) -> "Settings":
        """These settings with some replaced. Raises InvalidInput naming the setting."""
        known = {f.name: f for f in fields(self)}
        changes: dict[str, Any] = {}
        for name, value in values.items():
            if name not in known:
                raise InvalidInput(
                    f"{origin}: unknown setting '{name}'. Known: {', '.join(sorted(known))}."
                )
            changes[name] = _parse(name, value, getattr(DEFAULTS, name), origin)
        return replace(self, **changes)

    @property
    def artifacts_place(self) -> Place | None:
        """Where large files lie in an S3 store; None for the data directory."""
        return Place.parse(self.artifacts) if self.artifacts else None

    @property
    def ingest_places(self) -> tuple[Place, ...]:
        """Where files may be taken in from. Raises InvalidInput."""
        return tuple(Place.parse(uri) for uri in self.ingest)

    @property
    def named_buckets(self) -> tuple[str, ...]:
        """The buckets of other stores that any of the settings names, in order."""
        root = self.default_artifact_root
        places = [self.artifacts_place, *self.ingest_places]
        if root.lower().startswith(SCHEME):
            places.append(Place(root[len(SCHEME) :].partition("/")[0], ""))
        return tuple(sorted({place.bucket for place in places if place}))

    @property
    def mail_server(self) -> MailServer | None:
        """Who takes e-mail; None where none is sent. Raises InvalidInput."""
        return MailServer.parse(self.mail, self.mail_password) if self.mail else None

    @property
    def witness_keys(self) -> list[tuple[str, PublicKey]]:
        """The URL and the key of each witness. Raises InvalidInput."""
        return [_read_witness(text) for text in self.witnesses]


DEFAULTS = Settings()


def read(arguments: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings from all sources. `arguments` holds what was given on the command line."""
    given = {name: value for name, value in arguments.items() if value is not None}
    from_environment = {
        f.name: environment[PREFIX + f.name.upper()]
        for f in fields(DEFAULTS)
        if PREFIX + f.name.upper() in environment
    }
    config = given.get("config") or from_environment.get("config")
    settings = DEFAULTS
    if config:
        settings = settings.with_values(_read_file(Path(config)), str(config))
    settings = settings.with_values(from_environment, "environment")
    return check(settings.with_values(given, "command line"))


def unknown_names(environment: Mapping[str, str] = os.environ) -> list[str]:
    """A sentence for each variable that looks like a setting of ours and is none."""
    known = [
        PREFIX + name for name in (*(f.name.upper() for f in fields(DEFAULTS)), *COMMAND_NAMES)
    ]
    unknown = sorted(n for n in environment if n.startswith(PREFIX) and n not in known)
    return [f"The environment's {name} is no setting, and is ignored.{_nearest(name, known)}"
            for name in unknown]  # fmt: skip


def doubts(settings: Settings) -> list[str]:
    """A sentence for what is possible, and hardly meant."""
    root = settings.default_artifact_root
    if not root or artifact_location(root).startswith(PROXIED):
        return []
    try:
        place = Place.parse(root)
        if any(listed.covers(place) for listed in settings.ingest_places):
            return []
        _check_stores(replace(settings, ingest=(root,)))
        advice = f"Pass --ingest {root}, too."
    except InvalidInput:  # of another kind of store, or within --artifacts
        advice = "Files can be taken in only from s3://bucket/prefix apart from --artifacts."
    return [
        f"Nothing is taken in from {root}, where --default-artifact-root has clients put the files "
        "of new experiments: versions of them stay labels, unverified and without a digest, and a "
        f"policy with artifact_verified refuses them. {advice}"
    ]


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {near[0]}?" if near else ""


def check(settings: Settings) -> Settings:
    """The settings themselves, if they are safe and possible together; else InvalidInput."""
    for name in ("port", "metrics_port"):
        if not 0 <= (number := getattr(settings, name)) <= 65535:
            raise InvalidInput(f"{name} must be 0 to 65535, got {number}.")
    if not 1 <= settings.workers <= WORKERS_LIMIT:
        raise InvalidInput(f"workers must be 1 to {WORKERS_LIMIT}, got {settings.workers}.")
    if settings.workers > 1 and not settings.database_url:
        raise InvalidInput(
            "workers must be 1 on SQLite, whose file one process writes: give a --database-url "
            "postgresql://…, or leave --workers out."
        )
    if settings.max_body_bytes < 1:
        raise InvalidInput(f"max_body_bytes must be at least 1, got {settings.max_body_bytes}.")
    if settings.search_timeout_s < 1:
        raise InvalidInput(f"search_timeout_s must be at least 1, got {settings.search_timeout_s}.")
    if settings.upload_days < 1:
        raise InvalidInput(f"upload_days must be at least 1, got {settings.upload_days}.")
    for name in ("min_free_bytes", "drain_s", "grace_s"):
        if (value := getattr(settings, name)) < 0:
            raise InvalidInput(f"{name} must be at least 0, got {value}.")
    if max(settings.drain_s, settings.grace_s) > STOP_LIMIT_S:
        raise InvalidInput(f"drain_s and grace_s must be at most {STOP_LIMIT_S}, an hour.")
    if settings.log_format not in LOG_FORMATS:
        raise InvalidInput(
            f"log_format must be one of {', '.join(LOG_FORMATS)}, got {settings.log_format!r}."
        )
    if settings.log_level.lower() not in LOG_LEVELS:
        raise InvalidInput(
            f"log_level must be one of {', '.join(LOG_LEVELS)}, got {settings.log_level!r}."
        )
    if settings.public_url and not _PUBLIC_URL.fullmatch(settings.public_url):
        raise InvalidInput(
            "public_url must be http:// or https://, a host, and no more than a path: "
            f"got {settings.public_url!r}."
        )
    check_number(settings.aws_account)
    url = settings.database_url
    if url and not url.startswith(("postgresql://", "postgres://")):
        raise InvalidInput(
            "database_url must begin with postgresql:// (or be left out for SQLite)."
        )
    for name in ("secrets_key", "signing_key"):
        if text := getattr(settings, name):
            read_key(text, name)
    if settings.journal_origin:
        check_name(settings.journal_origin)
    _ = settings.witness_keys
    _check_mail(settings)
    _check_stores(settings)
    if not settings.auth and not is_loopback(settings.host):
        raise InvalidInput(
            f"Refusing to listen on {settings.host} with --auth off: anyone who can reach that "
            "address could approve and promote under any name. Pass --auth on (docs/access.md), or "
            "listen on 127.0.0.1."
        )
    return settings


def _check_mail(settings: Settings) -> None:
    if (settings.mail_server is None) != (not settings.mail_from):
        raise InvalidInput("mail and mail_from belong together: who takes e-mail, and its sender.")
    server = settings.mail_server
    if server and server.scheme == "smtp" and server.password and not is_loopback(server.host):
        raise InvalidInput(
            f"mail: smtp:// would send the password to {server.host} for all on the way to read: "
            "say smtp+starttls:// or smtps://."
        )
    if settings.mail_from:
        check_address(settings.mail_from, "mail_from must be an e-mail address, of ASCII.")


def _check_stores(settings: Settings) -> None:
    url, kept, places = settings.s3_endpoint_url, settings.artifacts_place, settings.ingest_places
    if url and not _PUBLIC_URL.fullmatch(url):
        raise InvalidInput(f"s3_endpoint_url must be http:// or https:// and a host: got {url!r}.")
    if settings.default_artifact_root:
        artifact_location(settings.default_artifact_root)
    for place in places:
        if kept and (place.covers(kept) or kept.covers(place)):
            raise InvalidInput(f"ingest: {place} and artifacts: {kept} must not overlap.")


def read_key(text: str, name: str) -> bytes:
    """The 32 bytes of a key in base64, of either alphabet. Raises InvalidInput naming it."""
    try:
        key = base64.b64decode(text.strip().replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise InvalidInput(
            f"{name} must be 32 bytes in base64, as `openssl rand -base64 32` makes them."
        )
    return key


def _read_witness(text: str) -> tuple[str, PublicKey]:
    url, _, vkey = text.partition("=")
    if not _PUBLIC_URL.fullmatch(url):
        raise InvalidInput(
            f"witnesses must be URL=vkey, as in http://host:7070=name+id+key: {text}."
        )
    key = PublicKey.parse(vkey)
    if key.kind != WITNESS_KIND:
        raise InvalidInput(f"The key of the witness {key.name} is not one for cosignatures.")
    return url.rstrip("/"), key


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def default_hosts() -> frozenset[str]:
    """Host names that mean this machine whatever the settings say."""
    return frozenset({"localhost", socket.gethostname().lower()})


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: not a TOML file: {error}.") from None


def _parse(name: str, value: Any, default: Any, origin: str) -> Any:
    """The value as its setting's type: text from anywhere is read, no other type is bent."""
    kind = _KIND_OF.get(name) or type(default).__name__
    try:
        return _READERS[kind](value)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InvalidInput(
            f"{origin}: setting '{name}' needs {_KINDS[kind]}, got {value!r}."
        ) from None


def _read_bool(value: Any) -> bool:
    return value if isinstance(value, bool) else _WORDS[value.strip().lower()]


def _read_int(value: Any) -> int:
    if isinstance(value, (bool, float)):
        raise TypeError
    return int(value)


def _read_str(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _read_tuple(value: Any) -> tuple[str, ...]:
    return tuple(item.lower() for item in _read_cased(value))


def _read_cased(value: Any) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    return tuple(item.strip() for item in items if item.strip())


def _read_path(value: Any) -> Path:
    if value == "":
        raise ValueError  # or it would mean the working directory
    return Path(value)


_WORDS = {"true": True, "1": True, "yes": True, "on": True}
_WORDS |= {"false": False, "0": False, "no": False, "off": False}
_KIND_OF = {"witnesses": "cased", "ingest": "cased"}
_KIND_OF |= dict.fromkeys(("data_dir", "config", "journal_key"), "path")
_KINDS = {
    "bool": "true or false",
    "cased": "a list of texts",
    "int": "a whole number",
    "path": "a path",
    "str": "a text",
    "tuple": "a list of texts",
}
_READERS = {
    "bool": _read_bool,
    "cased": _read_cased,
    "int": _read_int,
    "path": _read_path,
    "str": _read_str,
    "tuple": _read_tuple,
}
