"""What a name may be: of models, aliases, tags, users, artifact paths.

The grammar rejects; it never repairs. A path is decoded once at the edge, checked here, and the
checked value is the only one used from then on. Names that would look alike after decoding or
carry control characters are refused, so that no two rows can pass for each other.
"""

import json
import posixpath
import re
import unicodedata
from collections.abc import Mapping
from urllib.parse import unquote_plus

from modelkeep.domain.errors import InvalidInput

MODEL_NAME_LIMIT = 256
EXPERIMENT_NAME_LIMIT = 500
KEY_LIMIT = 250
ALIAS_LIMIT = 255
PATH_LIMIT = 1024
SEGMENT_LIMIT = 255
DESCRIPTION_LIMIT = 100_000  # characters
TAG_VALUE_LIMIT = 100_000

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ALIAS = re.compile(r"[\w\-]*")
_VERSION_ALIAS = re.compile(r"v\d+", re.IGNORECASE)
_LOOK_ALIKES = frozenset(("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE", "COPTIC"))
_KEY = re.compile(r"[/\w.\- :]*")
_CALLED = {"metric": "Metric name", "param": "Param key"}  # where a key is too long
_DRIVE = re.compile(r"[A-Za-z]:")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_ASIDE = re.compile(r"[;?#]")  # where some readers stop: `..;x` is `..` to a servlet container
_PLAIN_SEGMENT = r"[A-Za-z0-9_\-][A-Za-z0-9_.\-]{0,254}"
_PLAIN_PATH = re.compile(rf"{_PLAIN_SEGMENT}(/{_PLAIN_SEGMENT})*")  # nothing to look at closely
_PLAIN_LOCATION = re.compile(rf"[a-z][a-z0-9+\-]{{1,30}}:/{{1,3}}{_PLAIN_PATH.pattern}")
_UNREADABLE = re.compile("\ufffd|%u[0-9a-f]{4}", re.IGNORECASE)  # decodes to who knows what


def _refuse_control(value: str, field: str) -> None:
    if _CONTROL.search(value):
        raise InvalidInput(f"Invalid {field}: it contains a control character.")


def check_text(value: str, field: str, limit: int) -> str:
    """`value` itself, if it is at most `limit` characters that any database holds.

    That is, without NUL and halves of surrogate pairs. Raises InvalidInput.
    """
    if len(value) > limit:
        raise InvalidInput(f"'{field}' exceeds the maximum length of {limit} characters.")
    if "\x00" in value:
        raise InvalidInput(f"'{field}' contains a NUL character.")
    if not value.isascii() and _SURROGATE.search(value):
        raise InvalidInput(f"'{field}' contains half a surrogate pair.")
    return value


def check_model_name(name: str) -> str:
    """A registered model's name: 1 to 256 characters, all to be seen; not '.' or '..'.

    No '/', ':' or control characters.
    """
    check_text(name, "name", MODEL_NAME_LIMIT)
    if not name or not name.strip():
        raise InvalidInput(
            "Missing value for required parameter 'name'. Registered model name cannot be empty."
        )
    if "/" in name or ":" in name:
        raise InvalidInput(f"Invalid model name '{name}'. Names cannot contain '/' or ':'.")
    _refuse_control(name, "model name")
    if name in (".", "..") or any(unicodedata.category(c) == "Cf" for c in name):
        raise InvalidInput(
            f"Invalid model name {name!r}. Names cannot be '.' or '..', nor contain characters "
            "that nobody sees."
        )
    if name != name.strip() or unicodedata.normalize("NFC", name) != name:
        raise InvalidInput(
            f"Invalid model name '{name}'. Names must be NFC and cannot begin or end with a space."
        )
    if _unquoted(name) != name.replace("+", " "):
        raise InvalidInput(f"Invalid model name '{name}'. Names cannot be percent-encoded.")
    return name


def check_alias_shape(alias: str) -> str:
    """What may be asked for as an alias: 1 to 255 word characters and dashes."""
    if not alias:
        raise InvalidInput("Registered model alias name cannot be empty.")
    if not _ALIAS.fullmatch(alias):
        raise InvalidInput(
            f"Invalid alias name: '{alias}'. Names may only contain alphanumerics, "
            "underscores (_), and dashes (-)."
        )
    return check_text(alias, "Registered model alias name", ALIAS_LIMIT)


def check_alias(alias: str) -> str:
    """An alias that may be set: not `latest`, not `v` and digits, and none that passes for
    another, be it in full-width letters or with one letter of another alphabet.
    """
    check_alias_shape(alias)
    if unicodedata.normalize("NFKC", alias) != alias or len(_alphabets(alias)) > 1:
        raise InvalidInput(
            f"Invalid alias name: '{alias}'. It must be NFKC, with letters of one alphabet."
        )
    if _VERSION_ALIAS.fullmatch(alias):
        raise InvalidInput(f"Version alias name '{alias}' is reserved.")
    if alias.lower() == "latest":
        raise InvalidInput("'latest' alias name (case insensitive) is reserved.")
    return alias


def _alphabets(text: str) -> set[str]:
    """Those of the alphabets that have letters in common that `text` has letters of."""
    return {unicodedata.name(c, "").partition(" ")[0] for c in text} & _LOOK_ALIKES


def check_key(key: str, what: str, place: str = "") -> str:
    """A key of a tag, param or metric: 1 to 250 characters, and none that would escape a path.

    `place` is where in a list it stands, as in `params[3].`. Raises InvalidInput in MLflow's
    words (3.17.2, `utils/validation.py`), which call a metric's key its name.
    """
    if not key:
        raise InvalidInput(f"Missing value for required parameter 'key'. A {what} needs a key.")
    field = place + ("name" if what == "metric" else "key")
    if not _KEY.fullmatch(key):
        raise _refused_key(
            key,
            field,
            "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), "
            "spaces ( ), colon(:) and slashes (/).",
        )
    if key.startswith("/") or any(s in ("", ".", "..") for s in key.split("/")):
        raise _refused_key(
            key,
            field,
            "Names may be treated as files in certain cases, and must not resolve to other names "
            f"when treated as such. This name would resolve to {posixpath.normpath(key)!r}",
        )
    return check_text(key, _CALLED.get(what, field), KEY_LIMIT)


def check_tags(tags: Mapping[str, str]) -> None:
    """Raises InvalidInput for a tag that no model or version may have."""
    for key, value in tags.items():
        check_key(key, "tag")
        check_text(value, "value", TAG_VALUE_LIMIT)


def _refused_key(key: str, field: str, reason: str) -> InvalidInput:
    value = json.dumps(key)
    return InvalidInput(f"Invalid value {value} for parameter '{field}' supplied: {reason}")


def check_tag_key(key: str, limit: int = KEY_LIMIT) -> str:
    """A key that may be nearly any text: 1 to `limit` characters, no control characters."""
    if not key:
        raise InvalidInput("Missing value for required parameter 'key'. A key cannot be empty.")
    _refuse_control(key, "key")
    return check_text(key, "key", limit)


def _unquoted(value: str) -> str:
    """`value`, whose length is limited, with every layer of percent-encoding taken off."""
    while (decoded := unquote_plus(value)) != value:
        value = decoded
    return value


def check_path(path: str) -> str:
    """A relative artifact path of 1 or more segments joined by '/', already decoded once.

    Refuses what could mean another place to any reader: empty segments and those of dots alone,
    a leading or trailing '/', backslashes, drive letters, control characters, text not in NFC,
    segments that begin or end with a space, and anything that still decodes to such a path, or
    to no text at all.
    Limits: 1,024 characters, 255 UTF-8 bytes a segment.
    """
    message = f"Invalid path: {path[:200]!r}"
    if len(path) > PATH_LIMIT:
        raise InvalidInput(f"{message}: longer than {PATH_LIMIT} characters.")
    if _PLAIN_PATH.fullmatch(path):
        return path
    if any(segment != segment.strip() for segment in path.split("/")):
        raise InvalidInput(f"{message}.")
    _check_shape(path, message)
    decoded = _unquoted(path)
    if decoded != path:
        _check_shape(decoded, message)
    _refuse_unreadable(path, decoded, message)
    return path


def _refuse_unreadable(value: str, decoded: str, message: str) -> None:
    """Refuses overlong UTF-8 and the like, of which each reader makes something else."""
    if "\ufffd" not in value and _UNREADABLE.search(decoded):
        raise InvalidInput(f"{message}.")


def _check_shape(path: str, message: str) -> None:
    # NFKC catches the look-alikes of '.' and '/' that some file systems fold into the real ones.
    folded = unicodedata.normalize("NFKC", path)
    if _CONTROL.search(path) or "\\" in folded:
        raise InvalidInput(f"{message}.")
    if unicodedata.normalize("NFC", path) != path or folded.count("/") != path.count("/"):
        raise InvalidInput(f"{message}.")
    for segment, plain in zip(path.split("/"), folded.split("/"), strict=True):
        if _leads_away(plain):
            raise InvalidInput("Invalid path")  # all that MLflow says: clients compare the whole
        if len(segment.encode()) > SEGMENT_LIMIT:
            raise InvalidInput(f"{message}: a segment is longer than {SEGMENT_LIMIT} bytes.")


def _leads_away(segment: str) -> bool:
    """Whether a segment says nothing but dots to some reader, or names a drive."""
    said = "".join(c for c in segment if unicodedata.category(c) != "Cf" and not c.isspace())
    before = _ASIDE.split(said, maxsplit=1)[0]
    is_dots = not said.strip(".") or (before != "" and not before.strip("."))
    return is_dots or _DRIVE.match(said) is not None


def leads_up(path: str) -> bool:
    """Whether some reader of a path, whose length is limited, finds a segment `..` in it."""
    return ".." in re.split(r"[/\\;?#&]", unicodedata.normalize("NFKC", _unquoted(path)))


def check_location(
    location: str, field: str, hint: str = "It must not contain '..' segments."
) -> str:
    """A URI kept as an inert label: text that no reading of it could turn into another place.

    `hint` ends the refusal of one that could.
    """
    check_text(location, field, 2048)
    if _PLAIN_LOCATION.fullmatch(location):
        return location
    _refuse_control(location, field)
    decoded = unicodedata.normalize("NFKC", _unquoted(location))
    message = f"Invalid {field}: '{location}'. {hint}"
    _refuse_unreadable(location, decoded, message.removesuffix("."))
    if leads_up(location) or _CONTROL.search(decoded) or "\\" in decoded:
        raise InvalidInput(message)
    return location
