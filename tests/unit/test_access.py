"""Who is who: two spellings of one name are one person."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.domain.access import Access, Actor, Caller, Grant, Role, Verb, person, scope_of
from modelkeep.domain.errors import InvalidInput

ANNS = [
    *("ann", "Ann", "ANN", " ann", "ann ", "\tann\n", "\u00a0ann\u2003", "ａｎｎ", "𝐀𝐧𝐧", "ⓐnn"),
    *("a\u200bnn", "\u200dann", "an\u2060n", "ann\ufeff"),
    *("\u202eann\u202c", "a\u00adnn", "a\x00nn"),
    *("ann\ufe0f", "a\u034fnn", "an\u180bn", "ann\U000e0100", "a\U000e0041nn", "ann\u3164"),
    *("\u115fann", "ann\u17b4", "ann\uffa0", "ann\u2800"),
]


@pytest.mark.parametrize("spelling", ANNS, ids=ascii)
def test_a_name_is_one_person_however_it_is_spelt(spelling: str) -> None:
    assert person(spelling) == "ann"


def test_inner_spaces_count_once_and_whichever_they_are() -> None:
    spellings = ("ann lee", "Ann  Lee", "ann\u00a0lee", "ann\u2003\tlee", "ann \u200b lee")
    assert {person(spelling) for spelling in spellings} == {"ann lee"}
    assert person("annlee") != person("ann lee")


def test_names_that_differ_to_the_eye_are_different_people() -> None:
    names = ["ann", "anne", "änn", "a.nn", "ann-1", "ann1", "аnn ltd", "安", "ann@example.org"]
    assert len({person(name) for name in names}) == len(names)


def test_letters_of_one_case_pair_are_one() -> None:
    assert person("STRASSE") == person("straße")
    assert person("ΣΊΣΥΦΟΣ") == person("σίσυφος")
    assert person("Å") == person("A\u030a") == person("\u212b")


@pytest.mark.parametrize("name", ["", " ", "\u200b", "\ufe0f", "Anonymous", "ａnonymous", "\u2800"])
def test_who_gives_no_name_is_anonymous(name: str) -> None:
    assert Actor(name).is_anonymous


def test_who_gives_one_is_not() -> None:
    assert not Actor("ann").is_anonymous
    assert not Actor("anonymous coward").is_anonymous


@given(st.text(max_size=6))
def test_a_person_is_themselves(name: str) -> None:
    assert person(person(name)) == person(name)
    assert person(name.upper().lower()) == person(person(name).upper().lower())


def test_every_character_comes_to_rest_at_once() -> None:
    """Barred names are kept as `person` spells them, and are held against it again."""
    restless = [
        f"U+{code:04X}"
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")
        and person(person(chr(code))) != person(chr(code))
    ]
    assert restless == []


# -- what a caller may do ----------------------------------------------------------------------

ROLES_TABLE = {
    Role.RESTRICTED_VIEWER: {Verb.READ},
    Role.VIEWER: {Verb.READ, Verb.DOWNLOAD},
    Role.CONTRIBUTOR: {Verb.READ, Verb.DOWNLOAD, Verb.WRITE, Verb.PROMOTE},
    Role.REVIEWER: {Verb.READ, Verb.DOWNLOAD, Verb.APPROVE},
    Role.DEPLOYER: {Verb.READ, Verb.DOWNLOAD, Verb.PROMOTE, Verb.DEPLOY},
    Role.ADMIN: set(Verb),
}
SCOPES = {  # scope -> (name, tags) that it covers, and that it does not
    "*": ([("churn", {}), (None, None)], []),
    "model:churn": ([("churn", None)], [("churn2", {}), ("Churn", {}), (None, None), ("chur", {})]),
    "prefix:fraud-": ([("fraud-eu", None), ("fraud-", {})], [("fraud", {}), (None, {})]),
    "tag:team=risk": (
        [("churn", {"team": "risk"})],
        [("churn", {}), ("churn", None), ("churn", {"team": "Risk"}), (None, {"team": "risk"}),
         ("churn", {"team": "risk "}), ("team=risk", {"x": "risk"})],
    ),
}  # fmt: skip


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("role", Role)
def test_a_role_allows_its_verbs_on_its_scope_and_nothing_else(role: Role, scope: str) -> None:
    access = Access((Grant(role, scope_of(scope)),))
    covered, others = SCOPES[scope]
    for verb in Verb:
        allowed = verb in ROLES_TABLE[role]
        assert all(access.may(verb, *model) is allowed for model in covered)
        assert not any(access.may(verb, *model) for model in others)
        assert access.may_somewhere(verb) is allowed
    assert all(access.roles(*model) == {role} for model in covered)
    assert not any(access.roles(*model) for model in others)


def test_without_accounts_everybody_may_do_everything_and_with_them_nobody_anything() -> None:
    assert all(Caller(Actor("ann")).access.may(verb) for verb in Verb)
    assert Caller(Actor("ann")).access.roles("churn") == set(Role)
    assert not any(Access().may_somewhere(verb) for verb in Verb)


@pytest.mark.parametrize("text", SCOPES)
def test_a_scope_is_written_as_it_is_read(text: str) -> None:
    assert str(scope_of(text)) == text


@pytest.mark.parametrize(
    "text", ["", "**", "churn", "model:", "prefix:", "tag:", "tag:=x", "tag:team", "team=risk"]
)
def test_a_text_that_is_no_scope_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is no scope"):
        scope_of(text)
