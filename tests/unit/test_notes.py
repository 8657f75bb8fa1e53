"""Signed notes: the published ones verify, and what is not exactly one is refused."""

# ruff: noqa: E501 - published notes have lines as long as they are

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.domain.errors import IntegrityFailure, InvalidInput, ModelkeepError
from modelkeep.domain.merkle import EMPTY_ROOT
from modelkeep.domain.notes import (
    LOG_KIND,
    NOTE_LIMIT,
    WITNESS_KIND,
    Checkpoint,
    Note,
    PublicKey,
    cosigned,
    decimal,
    opened,
)
from modelkeep.ed25519 import is_signed

# C2SP signed-note, its example.
SPEC_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPEC_NOTE = """This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""
# golang.org/x/mod/sumdb/note, its example.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""
# C2SP tlog-cosignature, its example (whose keys are not published).
SPEC_CHECKPOINT = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""
SECRET = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
LOG = PublicKey("log.example/1", LOG_KIND, SECRET.public_key().public_bytes_raw())
WITNESS = PublicKey("witness.example/1", WITNESS_KIND, OTHER.public_key().public_bytes_raw())
TREE = Checkpoint("log.example/1", 7, bytes(range(32)))


def note(tree: Checkpoint = TREE, by: PublicKey = LOG, text: str = "") -> str:
    text = text or tree.text
    return Note(text, (by.signature(SECRET.sign(text.encode())),)).source


def cosignature(time_s: int, text: str = TREE.text) -> str:
    payload = time_s.to_bytes(8, "big") + OTHER.sign(cosigned(text, time_s))
    return WITNESS.signature(payload).line


# -- what others have published ------------------------------------------------------------------


@pytest.mark.parametrize(("vkey", "source"), [(SPEC_KEY, SPEC_NOTE), (GO_KEY, GO_NOTE)])
def test_published_notes_verify(vkey: str, source: str) -> None:
    key = PublicKey.parse(vkey)
    assert key.vkey == vkey
    parsed = Note.parse(source)
    assert parsed.signers([key], is_signed) == {key: None}
    assert parsed.source == source
    assert Note.parse(source.replace("e", "E", 1)).text != parsed.text
    with pytest.raises(IntegrityFailure):
        Note.parse(source.replace("e", "E", 1)).signers([key], is_signed)


def test_a_published_checkpoint_is_read_as_it_was_written() -> None:
    parsed = Note.parse(SPEC_CHECKPOINT)
    checkpoint = Checkpoint.parse(parsed.text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.text == parsed.text
    assert parsed.source == SPEC_CHECKPOINT
    assert [len(signature.payload) for signature in parsed.signatures] == [64, 72]
    assert int.from_bytes(parsed.signatures[1].payload[:8], "big") == 1679315147


# -- who signed ------------------------------------------------------------------------------------


def test_a_checkpoint_is_opened_by_the_key_of_its_origin() -> None:
    assert opened(note(), [LOG, WITNESS], is_signed) == TREE
    for keys in ([], [WITNESS], [PublicKey("another.example", LOG_KIND, LOG.public)]):
        with pytest.raises(IntegrityFailure, match="not signed by a key that is known"):
            opened(note(), keys, is_signed)


def test_a_false_signature_of_a_known_key_spoils_the_note_and_an_unknown_one_does_not() -> None:
    stranger = PublicKey("stranger.example", LOG_KIND, bytes(32)).signature(bytes(64)).line
    assert opened(note() + stranger, [LOG], is_signed) == TREE
    false = PublicKey(LOG.name, LOG_KIND, WITNESS.public)
    with pytest.raises(IntegrityFailure, match=r"The signature of log\.example/1 does not hold"):
        opened(note() + false.signature(bytes(64)).line, [LOG, false], is_signed)


def test_a_cosignature_holds_for_its_text_and_its_time() -> None:
    keys = [LOG, WITNESS]
    signed = Note.parse(note() + cosignature(1_700_000_000))
    assert signed.signers(keys, is_signed) == {LOG: None, WITNESS: 1_700_000_000}
    payload = signed.signatures[1].payload
    later = (1_700_000_001).to_bytes(8, "big") + payload[8:]
    for false in (later, payload[8:], payload + b"\0", (2**63).to_bytes(8, "big") + payload[8:]):
        with pytest.raises(IntegrityFailure):
            Note.parse(note()).signed(WITNESS.signature(false)).signers(keys, is_signed)


def test_a_signature_gives_way_to_a_later_one_of_the_same_key() -> None:
    once = Note.parse(note() + cosignature(5))
    twice = once.signed(Note.parse(note() + cosignature(9)).signatures[1])
    assert twice.signers([WITNESS], is_signed) == {WITNESS: 9}
    assert Note.parse(twice.source) == twice


# -- what is no note -------------------------------------------------------------------------------

LINE = LOG.signature(bytes(64)).line
UNTIDY = base64.b64encode(LOG.id + bytes(64)).decode()[:-2] + "B="  # bits that say nothing


@pytest.mark.parametrize(
    "source",
    [
        *("", "\n", "\n\n", "text\n", "text\n\n", f"\n\n{LINE}", f"text{LINE}", f"text\n{LINE}"),
        note() + "\n",
        note() + "trailing\n",
        note()[:-1],
        note().replace("\n", "\r\n"),
        note().replace("7", "7\r"),
        note().replace("7", "7\t"),
        note().replace("— ", "- "),
        note().replace("— ", "—"),
        note().replace("log.example/1 ", "log.example/1  "),
        note() + LINE,
        f"text\n\n— {LOG.name} {UNTIDY}\n",
        f"text\n\n— {LOG.name} \n",
        f"text\n\n— {LOG.name} AAAA\n",
        f"text\n\n— {LOG.name}\n",
        f"text\n\n— a+b {base64.b64encode(bytes(68)).decode()}\n",
        f"text\n\n— a\u00a0b {base64.b64encode(bytes(68)).decode()}\n",
        f"text\ud800\n\n{LINE}",
        "text\n\n"
        + "".join(PublicKey(f"k{i}", 1, bytes(32)).signature(b"x").line for i in range(101)),
        "x" * NOTE_LIMIT + f"\n\n{LINE}",
    ],
)
def test_what_is_not_exactly_a_note_is_refused(source: str) -> None:
    with pytest.raises(InvalidInput):
        Note.parse(source)


ROOT64 = base64.b64encode(TREE.root).decode()


@pytest.mark.parametrize(
    "text",
    [
        *("", "o\n", f"o\n7\n{ROOT64}", f"\n7\n{ROOT64}\n", f"o\n\n{ROOT64}\n", "o\n7\n\n"),
        *(f"o\n{size}\n{ROOT64}\n" for size in ("07", "-7", "+7", "7.0", "7 ", "٧", "0x7", "1_0")),
        f"o\n{2**63}\n{ROOT64}\n",
        f"o\n7\n{ROOT64[:-1]}\n",
        f"o\n7\n{ROOT64[:-2]}J=\n",
        f"o\n7\n{base64.b64encode(bytes(31)).decode()}\n",
        f"o\n0\n{ROOT64}\n",
        f"o\n7\n{ROOT64}\n\n",
        f"o\n7\n{ROOT64}\nextension\n\n",
        f"{'o' * 300}\n7\n{ROOT64}\n",
    ],
)
def test_what_is_not_exactly_a_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        Checkpoint.parse(text)


def test_an_empty_tree_and_lines_of_others_are_a_checkpoint() -> None:
    empty = Checkpoint("o", 0, EMPTY_ROOT)
    assert Checkpoint.parse(empty.text) == empty
    assert Checkpoint.parse(TREE.text + "extension\n") == TREE
    with pytest.raises(IntegrityFailure):  # which are signed like the rest
        opened(note().replace("\n\n", "\nextension\n\n"), [LOG], is_signed)


@pytest.mark.parametrize(
    "vkey",
    [
        *("", "a", "a+b", "a+b+c", SPEC_KEY[1:], SPEC_KEY[:-1], SPEC_KEY.replace("530d", "530e")),
        SPEC_KEY.replace("+530d903a", "+530D903A"),
        SPEC_KEY + "+x",
        "x y" + SPEC_KEY,
        PublicKey("a", 2, bytes(32)).vkey,
        PublicKey("a", 1, bytes(31)).vkey,
    ],
)
def test_what_is_no_key_is_refused(vkey: str) -> None:
    with pytest.raises(InvalidInput):
        PublicKey.parse(vkey)


# -- whatever comes --------------------------------------------------------------------------------


@given(st.text(), st.text(alphabet="— \nabc+=A/09\r", max_size=200))
def test_any_text_is_a_note_or_refused_in_our_words(first: str, second: str) -> None:
    for source in (first, second, first + "\n\n" + second, note() + second, second + note()):
        try:
            parsed = Note.parse(source)
        except ModelkeepError:
            continue
        assert parsed.source == source
        assert parsed.signers([WITNESS], is_signed) == {}


@given(st.data())
def test_a_note_with_one_character_changed_is_not_signed(data: st.DataObject) -> None:
    source = note() + cosignature(77)
    at = data.draw(st.integers(0, len(source) - 1))
    put = data.draw(st.characters(codec="utf-8"))
    changed = source[:at] + put + source[at + 1 :]
    if changed == source:
        return
    try:
        found = Note.parse(changed).signers([LOG, WITNESS], is_signed)
    except ModelkeepError:
        return
    assert len(found) < 2  # the name or id of one key was changed, and it is unknown now


@given(st.integers(0, 2**63 - 1))
def test_a_number_has_one_form(number: int) -> None:
    assert decimal(str(number), "it") == number
    for other in (f"0{number}", f" {number}", f"{number}\n", f"-{number}"):
        with pytest.raises(InvalidInput):
            decimal(other, "it")
