"""Blobs and parts on a real disk: only whole, right bytes are ever handed out."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from modelkeep.domain.errors import IntegrityFailure, InvalidInput, NotFound
from modelkeep.storage.blobs import checks
from modelkeep.storage.blobs.disk import DiskBlobs
from modelkeep.storage.blobs.parts import DiskParts

MIB = 1 << 20
CONTENT = os.urandom(3 * MIB + 1234)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def blobs(tmp_path: Path) -> Iterator[DiskBlobs]:
    with closing(DiskBlobs(tmp_path)) as blobs:
        yield blobs


@pytest.fixture
def parts(tmp_path: Path, blobs: DiskBlobs) -> DiskParts:
    return DiskParts(tmp_path, blobs)


def store(blobs: DiskBlobs, content: bytes = CONTENT) -> str:
    upload = blobs.begin()
    for start in range(0, len(content), MIB // 3):
        upload.write([content[start : start + 1000], b"", content[start + 1000 : start + MIB // 3]])
    assert upload.finish() == (hashlib.sha256(content).hexdigest(), len(content))
    return hashlib.sha256(content).hexdigest()


def damage(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


def test_what_was_stored_is_read_whole_and_in_ranges(blobs: DiskBlobs) -> None:
    store(blobs)
    assert b"".join(blobs.read(SHA256, len(CONTENT))) == CONTENT
    for start, stop in (
        (0, 1),
        (0, len(CONTENT)),
        (MIB - 1, MIB + 1),
        (MIB, 2 * MIB),
        (5, 2 * MIB + 7),
        (len(CONTENT) - 1, len(CONTENT)),
    ):
        read = b"".join(blobs.read_range(SHA256, len(CONTENT), start, stop))
        assert read == CONTENT[start:stop], (start, stop)


def test_a_part_that_was_damaged_after_the_first_look_is_not_handed_out(blobs: DiskBlobs) -> None:
    store(blobs)
    blobs.check(SHA256, len(CONTENT))
    kept = blobs.path(SHA256).stat()
    damage(blobs.path(SHA256), MIB + 5)
    os.utime(blobs.path(SHA256), ns=(kept.st_atime_ns, kept.st_mtime_ns))  # as a disk does
    assert b"".join(blobs.read_range(SHA256, len(CONTENT), 0, MIB)) == CONTENT[:MIB]
    reading = blobs.read_range(SHA256, len(CONTENT), 0, 2 * MIB)
    assert next(reading) == CONTENT[:MIB]
    with pytest.raises(IntegrityFailure):
        next(reading)
    with pytest.raises(IntegrityFailure):
        b"".join(blobs.read(SHA256, len(CONTENT)))


@pytest.mark.parametrize("wrong", ["damaged", "short", "gone"])
def test_no_range_of_a_file_that_is_not_whole_is_handed_out(blobs: DiskBlobs, wrong: str) -> None:
    store(blobs)
    path = blobs.path(SHA256)
    if wrong == "damaged":
        damage(path, len(CONTENT) - 1)
    elif wrong == "short":
        os.truncate(path, 2 * MIB)
    else:
        path.unlink()
    with pytest.raises(IntegrityFailure):
        next(blobs.read_range(SHA256, len(CONTENT), 0, 1))


def test_only_so_many_hashes_are_remembered(
    blobs: DiskBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "REMEMBERED_BYTES", 5 * 32)  # of a file and a bit
    first, second = store(blobs), store(blobs, CONTENT[1:])
    for sha256, size in ((first, len(CONTENT)), (second, len(CONTENT) - 1)):
        blobs.check(sha256, size)
    damage(blobs.path(second), 0)
    damage(blobs.path(first), 3 * MIB)
    # The first was forgotten, so it's read whole again; the second fails on the range alone.
    with pytest.raises(IntegrityFailure):
        next(blobs.read_range(first, len(CONTENT), 0, 1))
    assert b"".join(blobs.read_range(second, len(CONTENT) - 1, MIB, MIB + 1))


def test_what_an_earlier_process_left_half_done_is_swept(tmp_path: Path) -> None:
    with closing(DiskBlobs(tmp_path)) as earlier:
        upload = earlier.begin()
        upload.write([b"half"])
        assert len(list((tmp_path / "incoming").iterdir())) == 1
        with closing(DiskBlobs(tmp_path)):
            assert list((tmp_path / "incoming").iterdir()) == []
        upload.abandon()


def test_a_new_copy_heals_a_damaged_blob(blobs: DiskBlobs) -> None:
    store(blobs)
    damage(blobs.path(SHA256), 0)
    store(blobs)
    assert b"".join(blobs.read(SHA256, len(CONTENT))) == CONTENT


# -- parts -------------------------------------------------------------------------------------


def put(parts: DiskParts, upload_id: str, number: int, content: bytes) -> str:
    upload = parts.begin(upload_id, number)
    upload.write([content])
    return upload.finish()[0]


def test_a_part_is_read_by_its_number_and_digest(parts: DiskParts) -> None:
    upload_id = parts.open(1000)
    one, eleven = put(parts, upload_id, 1, b"one"), put(parts, upload_id, 11, b"eleven")
    assert b"".join(parts.read(upload_id, 1, one)) == b"one"
    assert b"".join(parts.read(upload_id, 11, eleven)) == b"eleven"
    for number, sha256 in ((1, eleven), (2, one), (1, "../" + one), (1, one.upper()), (1, "")):
        with pytest.raises(InvalidInput, match=f"Part {number} "):
            b"".join(parts.read(upload_id, number, sha256))


def test_the_later_part_of_a_number_stays(parts: DiskParts, tmp_path: Path) -> None:
    upload_id = parts.open(1000)
    first = put(parts, upload_id, 1, b"first")
    second = put(parts, upload_id, 1, b"second")
    assert put(parts, upload_id, 1, b"second") == second
    with pytest.raises(InvalidInput):
        b"".join(parts.read(upload_id, 1, first))
    assert len(list((tmp_path / "uploads" / upload_id / "1").iterdir())) == 1


def test_a_damaged_part_is_not_handed_out(parts: DiskParts, tmp_path: Path) -> None:
    upload_id = parts.open(1000)
    sha256 = put(parts, upload_id, 1, CONTENT)
    damage(tmp_path / "uploads" / upload_id / "1" / sha256, 5)
    with pytest.raises(IntegrityFailure):
        b"".join(parts.read(upload_id, 1, sha256))


@pytest.mark.parametrize("end", ["close", "discard"])
def test_no_part_comes_after_the_end(parts: DiskParts, tmp_path: Path, end: str) -> None:
    upload_id = parts.open(1000)
    late = parts.begin(upload_id, 1)
    late.write([b"late"])
    getattr(parts, end)(upload_id)
    assert parts.is_closed(upload_id) is (end == "close")
    with pytest.raises(NotFound):
        late.finish()
    late.abandon()
    with pytest.raises(NotFound):
        parts.begin(upload_id, 1)
    with pytest.raises((NotFound, InvalidInput)):
        b"".join(parts.read(upload_id, 1, SHA256))
    assert list((tmp_path / "incoming").iterdir()) == []
    parts.discard(upload_id)


def test_expired_uploads_are_swept_after_a_restart_too(parts: DiskParts, tmp_path: Path) -> None:
    old, new = parts.open(1000), parts.open(2000)
    put(parts, old, 1, b"x")
    sha256 = put(parts, new, 1, b"x")
    with closing(DiskBlobs(tmp_path)) as blobs:
        again = DiskParts(tmp_path, blobs)
        again.sweep(1500)
        assert [p.name for p in (tmp_path / "uploads").iterdir()] == [new]
        assert b"".join(again.read(new, 1, sha256)) == b"x"
