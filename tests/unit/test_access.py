"""Who is who: two spellings of one name are one person."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.domain.access import Actor, person

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
