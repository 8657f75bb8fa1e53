"""What a name may be. Nothing that any reader could take for another place gets in."""

import itertools
import os
import re
import unicodedata
from contextlib import suppress
from urllib.parse import quote, unquote, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.names import (
    check_alias,
    check_key,
    check_location,
    check_model_name,
    check_path,
    check_tag_key,
    check_text,
)

# -- paths that lead elsewhere -----------------------------------------------------------------


def encoded(text: str, layers: int = 1) -> str:
    """Every character as `%xx`, in so many layers of encoding."""
    text = "".join(f"%{byte:02x}" for byte in text.encode())
    for _ in range(layers - 1):
        text = text.replace("%", "%25")
    return text


UP = [
    "..",
    *(encoded("..", layers) for layers in (1, 2, 3, 10, 11, 12, 25)),
    *("%2E%2E", "%2e.", ".%2e", "%252e.", ".%252E", "%25%32%65.", "%%32%65%%32%65"),
    # overlong and broken UTF-8, which some decoders forgive
    *("%c0%ae%c0%ae", "%c0%ae.", "%e0%80%ae%e0%80%ae", "%f0%80%80%ae.", "%c0%2e%c0%2e"),
    *("%u002e%u002e", "%u002E.", "%uff0e%uff0e", "%25u002e."),
    # look-alikes that file systems fold, and what is drawn as nothing
    *("．．", "‥", "․․", "．.", "%ef%bc%8e%ef%bc%8e", "\u200b..", ".\u200d.", "..\u2060"),
    # what Windows, or a servlet container, takes off before it looks
    *(".. ", "..  .", ".. .", "...", "....", "..;", "..;jsessionid=1", "..%3b", "..%20", "..+"),
    *("..?", "..#", "..%3f", "..%2523x", ". .", "..\u00a0", "..\u3000"),
]
SLASHES = [
    "/",
    *(encoded("/", layers) for layers in (1, 2, 3, 11)),
    *(
        "%2F",
        "%5c",
        "%5C",
        "%255c",
        "\\",
        "／",
        "＼",
        "﹨",
        "%c0%af",
        "%e0%80%af",
        "%u2215",
        "%uff0f",
    ),
]
ABSOLUTE = [
    *("/etc/passwd", "//etc/passwd", "///etc", "/", "//", "\\\\host\\share", "//host/share"),
    *("\\etc", "C:/x", "C:\\x", "c:", "C:x", "a/C:/x", "a/b:c", "Ｃ：/x", "C%3a/x", "%43%3a%5cx"),
    *("%2fetc%2fpasswd", "%252fetc", "%5cetc", "／etc", "＼etc", "//proc/self/root"),
    *("file:///etc", "file:///..\\..\\", "http:///?/../../etc", "http://host#/../../etc"),
]
MALFORMED = [
    *("", ".", "./a", "a/.", "a/./b", "a//b", "a/", "/a"),
    *("a///b", " ", "a/ /b", " a", "a ", "a/ b"),
    *("a\x00b", "a%00b", "a%2500b", "..%00/", "a\nb", "a%0ab"),
    *("a%0d%0ab", "a\rb", "a\tb", "a\x7fb"),
    *("a\x1b[31m", "a\x85b", "a\u2028b", "a\u2029b", "a\ud800b", "a%c2%85b", "%00", "%2500", "%20"),
    *("e\u0301", "a/e\u0301", "%65%cc%81", "\u212b", "a" * 256, "é" * 128, "x/" * 512 + "x"),
    *("%2e", "%252e", "%2e/a", "a/%2e", "a/%2e/b", "．", "a/．/b", "%ff", "a%80b", "+", "a/+/b"),
]
PLACES = ("{up}{slash}x", "a{slash}{up}", "a{slash}{up}{slash}{up}{slash}x", "a/b{slash}{up}")
TRAVERSALS = [
    place.format(up=up, slash=slash) for up, slash, place in itertools.product(UP, SLASHES, PLACES)
]
CORPUS = [*TRAVERSALS, *UP, *ABSOLUTE, *MALFORMED]


def takes(check, *args: object) -> bool:
    try:
        check(*args)
    except InvalidInput:
        return False
    return True


def test_no_encoding_of_a_path_that_leads_elsewhere_is_taken() -> None:
    assert len(set(CORPUS)) > 2000
    assert [path for path in CORPUS if takes(check_path, path)] == []


@pytest.mark.parametrize(
    "path",
    [
        *("model.pkl", "a/b/c.txt", "MLmodel", ".gitignore", "..a", "a..", "a..b", "...a", "a/.b"),
        *("100%", "50%.txt", "a%b", "%", "%%", "a%zzb", "a+b", "c++", "a b", "a b/c d", "C++/x"),
        *("größe", "模型/权重.bin", "модель", "é", "a\u200db", "👩\u200d🔬.txt", "🙂", "½", "①"),
        *("a%20b", "a%2Bb", "%61", "ab:c", "a;b", "a?b", "a#b", "#readme#", "a=b&c", "~", "~a"),
        *("con", "a,b", "'", '"', "(1)", "[x]", "{x}", "$HOME", "`id`", "a|b", "a*b", "<a>", "-rf"),
        *("x" * 255, "é" * 127, "/".join(["x" * 100] * 10), "ﬁ", "a\u00adb", "\ufffd", "a.b.c."),
    ],
)
def test_ordinary_paths_are_taken_as_they_are(path: str) -> None:
    assert check_path(path) == path


pieces = st.sampled_from(
    [
        *("..", ".", "/", "\\", "%", "2", "5", "e", "E", "f", "F", "c", "C", ":", "a", "+", " "),
        *(
            "%2e",
            "%2f",
            "%5c",
            "%25",
            "%00",
            "%c0%ae",
            "．",
            "／",
            "‥",
            "\u200b",
            ";",
            "?",
            "#",
            "~",
        ),
        *("é", "e\u0301", "\ufffd", "\x00", "\u2028"),
    ]
)
paths = st.lists(pieces, max_size=12).map("".join) | st.text(max_size=20)


def lands_within(root: str, path: str) -> bool:
    return os.path.normpath(f"{root}/{path}").startswith(f"{root}/")


@given(paths)
def test_a_path_that_is_taken_never_leaves_its_root_however_often_it_is_decoded(path: str) -> None:
    with suppress(InvalidInput):
        check_path(path)
        for decode in (unquote, unquote_plus):
            reading = path
            for _ in range(30):
                for form in (reading, unicodedata.normalize("NFKC", reading)):
                    assert lands_within("/root", form)
                    assert lands_within("/root", form.replace("\\", "/"))
                    assert "\x00" not in form
                reading = decode(reading)


@given(st.lists(st.text(max_size=6), min_size=1, max_size=3).map("/".join), st.integers(1, 3))
def test_what_is_refused_plain_is_refused_in_any_encoding(path: str, layers: int) -> None:
    # A space at the edge of a segment is refused for its looks alone, and shows once encoded.
    path = "/".join(segment.strip() for segment in path.split("/"))
    if not takes(check_path, path):
        for _ in range(layers):
            path = quote(path, safe="")
        assert not takes(check_path, path)


def test_a_refusal_shows_no_control_character_and_no_endless_path() -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_path("a\x1b[2J\n" + "x" * 100_000)
    assert len(refusal.value.message) < 500
    assert refusal.value.message.isprintable()


# -- locations ---------------------------------------------------------------------------------


def test_no_location_holds_a_step_upwards_in_any_encoding() -> None:
    ups = [up for up in UP if unicodedata.normalize("NFKC", unquote_plus(unquote(up))) == ".."]
    assert len(ups) > 8
    for up in ["..", *ups, *(encoded("..", n) for n in (1, 2, 3, 11, 30)), "%c0%ae.", "%u002e."]:
        for scheme in ("s3://bucket", "runs:/0a", "mlflow-artifacts:", "http://h", "file://"):
            for way in ("/{}/x", "/a/{}", "?/{}", "#/{}"):
                assert not takes(check_location, scheme + way.format(up), "source")


@pytest.mark.parametrize(
    "location",
    [
        *("s3://b/a\x00", "s3://b/a%00", "s3://b/a%2500"),
        *("s3://b\\x", "s3://b/%5cx", "s3://b/%255cx"),
        *("s3://b/\n", "s3://b/%0a", "s3://b/＼x", "s3://b/a;.."),
        *("s3://b/a;../x", "s3://b/a%3b../x"),
        *("file:///..\\..\\", "file://HOST/../../../", "dbfs:/RUN/artifacts/a%3f/../../../../"),
        *("http:///?/../../../etc/", "http:///#/../../../etc/", "http://host#/../../../../etc/"),
        *("mlflow-artifacts:/..%2f..%2f", "s3://b/a%2e%2e/%2e%2e/x", "x" * 2049),
    ],
)
def test_published_tricks_with_locations_are_refused(location: str) -> None:
    assert not takes(check_location, location, "source")


@pytest.mark.parametrize(
    "location",
    [
        *("s3://bucket/a b/c+d/100%", "gs://b/ü", "runs:/0a/model", "dummy-source", "s3://b/a..b"),
        *("mlflow-artifacts:/1/a/artifacts", "models:/m/1"),
        *("s3://b/a%20b", "s3://b/..a/b..", "s3://b/…"),
    ],
)
def test_ordinary_locations_are_kept_as_they_are(location: str) -> None:
    assert check_location(location, "source") == location


# -- models, aliases, keys ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("churn", "fraud_detector", "Größe 2", "模型", "a.b", "...", "a-b", "100%", "a+b", "a b"),
        *("a@b", "m-0", "v1", "latest", "x" * 256, "🙂", "a%zz", "(x)", "a'b", 'a"b', "Ω"),
    ],
)
def test_ordinary_model_names_are_taken(name: str) -> None:
    assert check_model_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "\t", "a/b", "/", "a:b", ":", "models:/x", " a"),
        *("a ", "a\u00a0", "\u3000a", "x" * 257),
        *("a\x00", "a\n", "\x1b[31m", "a\x7f", "a\u2028b"),
        *("a\ud800", "e\u0301", "\u212b", ".", ".."),
        *("a%2fb", "a%2Fb", "a%3ab", "%61", "a%20b", "a%00", "a%252fb", "%2e%2e"),
        # two models must not look alike
        *("churn\u200b", "\u200echurn", "chu\u00adrn", "churn\u202e", "\ufeffchurn", "ch\u2060urn"),
    ],
)
def test_model_names_that_could_pass_for_others_are_refused(name: str) -> None:
    assert not takes(check_model_name, name)


def test_an_endless_name_of_nested_encodings_costs_nothing() -> None:
    assert not takes(check_model_name, "%" + "25" * 5_000_000)
    assert not takes(check_path, "%" + "25" * 5_000_000)
    assert not takes(check_location, "%" + "25" * 5_000_000, "source")
    assert not takes(check_path, "%" + "25" * 500 + "2e%2e/x")


@pytest.mark.parametrize(
    "alias", ["champion", "a", "A-b_c", "v", "v1a", "1", "ünïcode", "-", "модель_1", "本番", "καλό"]
)
def test_ordinary_aliases_are_taken(alias: str) -> None:
    assert check_alias(alias) == alias


@pytest.mark.parametrize(
    "alias",
    [
        *("", "v1", "V1", "v007", "v１", "latest", "LATEST"),
        *("Latest", "a b", "a/b", "a.b", "a@b", "a:b"),
        *("a\n", "\n", "a\x00", "a%20", "champion\u200b", "a" * 256, "🙂", "e\u0301", "..", " a"),
        *("ｃhampion", "сhampion", "champiοn", "ﬁrst", "champⅰon"),  # each looks like another
    ],
)
def test_reserved_and_odd_aliases_are_refused(alias: str) -> None:
    assert not takes(check_alias, alias)


@pytest.mark.parametrize("key", ["accuracy", "a/b", "a b", "a.b", "val:loss", "ünïcode", "x" * 250])
def test_ordinary_keys_are_taken(key: str) -> None:
    assert check_key(key, "metric") == key
    assert check_tag_key(key) == key


@pytest.mark.parametrize(
    "key", ["", "..", "a/../b", "./a", "a//b", "/a", "a/", "a\nb", "a\x00", "x" * 251, "\ud800"]
)
def test_keys_that_could_be_paths_elsewhere_are_refused(key: str) -> None:
    assert not takes(check_key, key, "metric")


def test_a_refused_key_is_told_in_mlflows_words() -> None:
    characters = "Names may only contain alphanumerics"
    files = "Names may be treated as files in certain cases"
    for key, what, place, words in (
        ("a*b", "metric", "", f"Invalid value \"a*b\" for parameter 'name' supplied: {characters}"),
        ("a*b", "tag", "tags[3].", f"for parameter 'tags[3].key' supplied: {characters}"),
        ("a/../b", "param", "", f"for parameter 'key' supplied: {files}"),
        ("a/../b", "param", "", "This name would resolve to 'b'"),
        ("x" * 251, "metric", "metrics[1].", "'Metric name' exceeds the maximum length of 250"),
        ("x" * 251, "param", "", "'Param key' exceeds the maximum length of 250"),
        ("x" * 251, "tag", "tags[1].", "'tags[1].key' exceeds the maximum length of 250"),
    ):
        with pytest.raises(InvalidInput, match=re.escape(words)):
            check_key(key, what, place)


def test_a_tag_key_is_nearly_any_text() -> None:
    for key in ("mlflow.prompt.is_prompt", "a*?", "../x", "é", "🙂", " "):
        assert check_tag_key(key) == key
    for key in ("", "a\x00", "a\n", "a\x1b", "\ud800", "x" * 251):
        assert not takes(check_tag_key, key)


def test_a_text_is_what_every_database_can_hold() -> None:
    assert check_text("x\n\t\x01é🙂", "reason", 7) == "x\n\t\x01é🙂"
    for text in ("a\x00b", "\ud800", "\udfff", "x" * 8):
        assert not takes(check_text, text, "reason", 7)


@given(st.text(st.characters(), max_size=30))
def test_any_text_is_taken_or_refused_in_words(text: str) -> None:
    for check, *rest in (
        (check_path,),
        (check_location, "source"),
        (check_model_name,),
        (check_alias,),
        (check_key, "tag"),
        (check_tag_key,),
        (check_text, "text", 20),
    ):
        assert takes(check, text, *rest) in (True, False)
