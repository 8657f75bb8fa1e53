"""Manifests: one digest over what a version is made of."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.domain.errors import LimitExceeded
from modelkeep.domain.manifests import FILE_LIMIT, File, Manifest

A, B = hashlib.sha256(b"a").hexdigest(), hashlib.sha256(b"bb").hexdigest()

digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
paths = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=8)
files = st.builds(File, paths, digests, st.integers(0, 2**53))
trees = st.lists(files, min_size=1, max_size=8, unique_by=lambda file: file.path)


def test_the_digest_of_a_known_tree_never_changes() -> None:
    tree = [File("model/weights", B, 2), File("MLmodel", A, 1), File("ü/é x", A, 1)]
    assert Manifest.of(tree).digest == (
        "sha256:23030d788b2b45d7c9d14e0812d876b668d51ecbab726e54fc6559b3827923cf"
    )


def test_the_encoding_is_lines_that_anyone_can_write(tmp_path: Path) -> None:
    manifest = Manifest.of([File("b/c", B, 2), File("MLmodel", A, 1)])
    by_hand = f"modelkeep-manifest/1\n{A} 1 MLmodel\n{B} 2 b/c\n"
    assert manifest.encode().decode() == by_hand
    (tmp_path / "manifest").write_text(by_hand)
    said = subprocess.run(
        ["sha256sum", tmp_path / "manifest"], capture_output=True, text=True, check=True
    ).stdout
    assert manifest.digest == f"sha256:{said.split()[0]}"


def test_files_are_in_the_byte_order_of_their_paths() -> None:
    # UTF-16 would put the last two the other way round, and a locale the first two.
    names = ["B", "a", "a.b", "a/b", "é", "\uffee", "\U0001f600"]
    manifest = Manifest.of([File(name, A, 1) for name in reversed(names)])
    assert [file.path for file in manifest.files] == names


@given(trees, st.randoms())
def test_the_order_in_which_files_come_does_not_matter(tree: list[File], random) -> None:
    shuffled = [*tree]
    random.shuffle(shuffled)
    assert Manifest.of(shuffled).digest == Manifest.of(tree).digest


@given(trees, trees)
def test_different_trees_have_different_encodings(one: list[File], other: list[File]) -> None:
    same = Manifest.of(one).encode() == Manifest.of(other).encode()
    assert same == (set(one) == set(other))


@given(trees)
def test_the_tree_can_be_read_back_from_its_encoding(tree: list[File]) -> None:
    header, *lines = Manifest.of(tree).encode().decode().split("\n")[:-1]
    fields = [line.split(" ", 2) for line in lines]
    assert header == "modelkeep-manifest/1"
    assert {File(path, sha256, int(size)) for sha256, size, path in fields} == set(tree)


def test_any_difference_makes_another_digest() -> None:
    trees = [
        [File("a", A, 1)],
        [File("a", B, 1)],
        [File("a", A, 2)],
        [File("b", A, 1)],
        [File("a", A, 1), File("b", A, 1)],
    ]
    assert len({Manifest.of(tree).digest for tree in trees}) == len(trees)


def test_a_tree_has_at_most_so_many_files() -> None:
    tree = [File(str(n), A, 1) for n in range(FILE_LIMIT + 1)]
    assert Manifest.of(tree[:-1]).size_bytes == FILE_LIMIT
    with pytest.raises(LimitExceeded, match=str(FILE_LIMIT)):
        Manifest.of(tree)
