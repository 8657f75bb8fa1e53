"""What every store of parts promises, on the disk and on two servers of S3."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelkeep.domain.errors import IntegrityFailure, InvalidInput, NotFound
from modelkeep.ports.blobs import Blobs, Parts
from modelkeep.storage.blobs import s3
from modelkeep.storage.blobs.bucket import Bucket
from modelkeep.storage.blobs.disk import DiskBlobs
from modelkeep.storage.blobs.parts import DiskParts
from modelkeep.storage.blobs.parts_s3 import S3Parts
from modelkeep.storage.blobs.s3 import S3Blobs

MIB = 1 << 20
LARGE = [os.urandom(5 * MIB), os.urandom(11 * MIB + 7), os.urandom(123)]


class OnDisk:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.blobs = DiskBlobs(folder)
        self.parts: Parts = DiskParts(folder, self.blobs)

    def files(self) -> dict[str, Path]:
        found = self._folder.rglob("*")
        return {path.name: path for path in found if path.is_file()}

    def damage(self, name: str) -> None:
        content = self.files()[name].read_bytes()
        self.files()[name].write_bytes(b"!" + content[1:])

    def again(self) -> Parts:
        return DiskParts(self._folder, self.blobs)

    def close(self) -> None:
        self.blobs.close()


class InStore:
    def __init__(self, blobs: S3Blobs) -> None:
        self.blobs = blobs
        self.parts: Parts = S3Parts(blobs)

    def files(self) -> dict[str, str]:
        keys = [one["Key"] for one in self.blobs.bucket.listed("")]
        return {key.rpartition("/")[2].rpartition("-")[2]: key for key in keys}

    def damage(self, name: str) -> None:
        key, call = self.files()[name], self.blobs.bucket.call
        content = call("get_object", Key=key)["Body"].read()
        call("put_object", Key=key, Body=b"!" + content[1:])

    def again(self) -> Parts:
        return S3Parts(S3Blobs(self.blobs.bucket))

    def close(self) -> None:
        self.blobs.threads.shutdown()


@pytest.fixture(params=["disk", "moto", "swift"])
def kept(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    if request.param == "disk":
        found: OnDisk | InStore = OnDisk(tmp_path)
    else:
        monkeypatch.setattr(s3, "PART_BYTES", 5 * MIB)
        monkeypatch.setattr(s3, "COPY_BYTES", 5 * MIB)
        store = request.getfixturevalue(request.param)
        found = InStore(S3Blobs(Bucket(store.place(), store.client)))
    yield found
    found.close()


def put(parts: Parts, upload_id: str, number: int, content: bytes, md5: Any = None) -> str:
    upload = parts.begin(upload_id, number, md5)
    for start in range(0, len(content), MIB):
        upload.write([content[start : start + MIB]])
    sha256, size = upload.finish()
    assert (sha256, size) == (hashlib.sha256(content).hexdigest(), len(content))
    return sha256


def read(blobs: Blobs, content: bytes) -> bytes:
    return b"".join(blobs.read(hashlib.sha256(content).hexdigest(), len(content)))


@pytest.mark.parametrize(
    "contents",
    [LARGE, [b"a", b"b", LARGE[0], b""], [*LARGE[:2], b""], [b""]],
    ids=["large", "small", "nothing-last", "nothing"],
)
def test_parts_are_put_together_in_the_order_of_their_numbers(kept, contents) -> None:
    upload_id, whole = kept.parts.open(1000), b"".join(contents)
    numbers = [1, 2, 11, 10_000]
    named = [
        (number, put(kept.parts, upload_id, number, content))
        for number, content in sorted(zip(numbers, contents, strict=False), reverse=True)
    ]
    listed = kept.again().listing(upload_id)
    assert [(part.number, part.sha256, part.size_bytes) for part in listed] == [
        (number, sha256, len(content))
        for (number, sha256), content in zip(named[::-1], contents, strict=False)
    ]
    found = kept.again().assemble(upload_id, named[::-1])
    assert found == (hashlib.sha256(whole).hexdigest(), len(whole))
    assert read(kept.blobs, whole) == whole
    assert kept.parts.assemble(upload_id, named[::-1]) == found  # its answer may have been lost
    kept.parts.close(upload_id)
    assert kept.parts.is_closed(upload_id)
    left = set(kept.files()) - {"closed"}
    assert left == {found[0]}


def test_the_later_part_of_a_number_counts(kept) -> None:
    upload_id = kept.parts.open(1000)
    first, second = (put(kept.parts, upload_id, 1, content) for content in (b"first", b"second"))
    assert [part.sha256 for part in kept.parts.listing(upload_id)] == [second]
    for named in ((1, first), (2, second), (1, second.upper())):
        with pytest.raises(InvalidInput, match=f"Part {named[0]} was not uploaded"):
            kept.parts.assemble(upload_id, [named])
    kept.parts.assemble(upload_id, [(1, second)])
    assert read(kept.blobs, b"second") == b"second"


def test_a_part_has_its_md5_where_somebody_wants_it(kept) -> None:
    upload_id, md5 = kept.parts.open(1000), hashlib.md5(usedforsecurity=False)
    first = put(kept.parts, upload_id, 1, LARGE[1], md5)
    second = put(kept.parts, upload_id, 2, b"x")
    listed = kept.again().listing(upload_id)
    assert md5.hexdigest() == hashlib.md5(LARGE[1], usedforsecurity=False).hexdigest()
    assert [(part.sha256, part.md5) for part in listed] == [(first, md5.hexdigest()), (second, "")]
    kept.parts.assemble(upload_id, [(1, first), (2, second)])
    assert read(kept.blobs, LARGE[1] + b"x") == LARGE[1] + b"x"
    again = put(kept.parts, upload_id, 1, b"y")  # and takes the place of the one with it
    assert [part.sha256 for part in kept.parts.listing(upload_id)] == [again, second]


def test_a_damaged_part_makes_no_file(kept) -> None:
    upload_id = kept.parts.open(1000)
    named = [(1, put(kept.parts, upload_id, 1, LARGE[0])), (2, put(kept.parts, upload_id, 2, b"x"))]
    kept.damage(named[0][1])
    with pytest.raises(IntegrityFailure):
        kept.parts.assemble(upload_id, named)
    assert list(kept.blobs.stored()) == []


@pytest.mark.parametrize("end", ["close", "discard"])
def test_no_part_comes_after_the_end_and_none_is_left(kept, end: str) -> None:
    upload_id = kept.parts.open(1000)
    put(kept.parts, upload_id, 1, b"early")
    late, large = (kept.parts.begin(upload_id, number) for number in (2, 3))
    late.write([b"late"])
    large.write([LARGE[0] + b"!"])
    getattr(kept.parts, end)(upload_id)
    for upload in (late, large):
        with pytest.raises(NotFound):
            upload.finish()
        upload.abandon()
    with pytest.raises(NotFound):
        kept.parts.begin(upload_id, 1)
    with pytest.raises(NotFound):
        kept.parts.listing(upload_id)
    assert kept.parts.is_closed(upload_id) is (end == "close")
    assert set(kept.files()) == ({"closed"} if end == "close" else set())
    kept.parts.discard(upload_id)
    assert kept.files() == {}


def test_an_upload_that_expired_is_swept_by_whoever_comes_next(kept) -> None:
    old, new = kept.parts.open(1000), kept.parts.open(2000)
    put(kept.parts, old, 1, b"old")
    sha256 = put(kept.parts, new, 1, b"new")
    again = kept.again()
    again.sweep(1500)
    with pytest.raises(NotFound):
        again.listing(old)
    assert [part.sha256 for part in again.listing(new)] == [sha256]
    assert hashlib.sha256(b"old").hexdigest() not in kept.files()
