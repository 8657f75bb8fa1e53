"""Objects of the S3 API: what is kept beside the bytes, uploads in parts, others' buckets."""

import hashlib
from dataclasses import replace

import pytest

from modelkeep.domain.access import Actor, Caller
from modelkeep.domain.errors import Forbidden, NotFound, PreconditionFailed
from modelkeep.domain.objects import NOTHING, Condition, Said
from modelkeep.ports.objects import ObjectUpload
from modelkeep.services import artifacts, buckets, grants, object_uploads, objects, sources
from modelkeep.services.objects import Brought
from tests.support.core import ANN, BOB, Core

PATH = "s3/models/churn.bin"
SAID = Said(
    {"content-type": "a/b", "x-amz-meta-k": "ü"}, {"x-amz-checksum-crc32": "AA=="}, {"t": "1"}
)


def put(core: Core, path: str = PATH, content: bytes = b"x", **more: object) -> None:
    sha256 = hashlib.sha256(content).hexdigest()
    brought = replace(Brought("e1", SAID), **more)
    core.write(objects.put_small, ANN, path, sha256, content, brought)


def begin(core: Core, upload_id: str = "1-a", path: str = PATH) -> ObjectUpload:
    until_ms = core.read(object_uploads.check, ANN, path)
    core.write(object_uploads.begin, ANN, upload_id, path, until_ms, SAID)
    return core.read(object_uploads.find, ANN, upload_id, path)


def test_what_was_said_is_told_until_the_path_is_written_by_other_ways(core: Core) -> None:
    put(core)
    assert core.read(objects.find, PATH).said == SAID
    sha256 = hashlib.sha256(b"y").hexdigest()
    core.write(artifacts.put_small, ANN, PATH, sha256, b"y")
    found = core.read(objects.find, PATH)
    assert (found.said, found.etag) == (NOTHING, f"{sha256[:32]}-1")


def test_a_condition_is_held_against_what_is_there_in_the_same_transaction(core: Core) -> None:
    absent, this = Condition(none_match="*"), Condition(match='"e1"')
    with pytest.raises(NotFound):
        put(core, condition=this)
    put(core, condition=absent)
    with pytest.raises(PreconditionFailed, match="If-None-Match"):
        put(core, condition=absent)
    put(core, content=b"z", condition=this, etag="e2")
    with pytest.raises(PreconditionFailed, match="If-Match"):
        put(core, condition=this)
    assert core.read(objects.find, PATH).etag == "e2"


def test_an_upload_is_completed_once_and_is_its_beginners(core: Core) -> None:
    upload = begin(core)
    assert (upload.said, upload.etag) == (SAID, "")
    lent = Caller(Actor("ann", lent_by="bob"))
    for caller, upload_id, path in ((BOB, "1-a", PATH), (lent, "1-a", PATH), (ANN, "1-b", PATH),
                                    (ANN, "1-a", "s3/models/other")):  # fmt: skip
        with pytest.raises(NotFound):
            core.read(object_uploads.find, caller, upload_id, path)
    for sha256 in ("a" * 64, "b" * 64):
        args = ANN, upload, sha256, 100_000, core.clock.now_ms(), Brought("x-1", SAID)
        core.write(object_uploads.complete, *args)
    assert core.read(objects.find, PATH).found.file.sha256 == "a" * 64
    with pytest.raises(NotFound):
        core.write(object_uploads.abort, ANN, upload)
    found = core.read(object_uploads.page, ANN, "s3/models", "", "", ("", ""), 10)
    assert (found.uploads, found.end) == ([], None)


def test_an_upload_that_was_aborted_or_has_expired_is_gone(core: Core) -> None:
    aborted, expired = begin(core, "1-a"), begin(core, "1-b")
    core.write(object_uploads.abort, ANN, aborted)
    core.clock.advance(grants.MULTIPART_S * 1000 + 1)
    kept = begin(core, "1-c")
    for upload in (aborted, expired):
        args = ANN, upload, "a" * 64, 100_000, core.clock.now_ms(), Brought("x-1")
        with pytest.raises(NotFound):
            core.write(object_uploads.complete, *args)
    assert core.write(object_uploads.sweep) is False
    left = core.read(lambda work: [work.object_uploads.get(f"1-{one}") for one in "abc"])
    assert left == [None, None, kept]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_list_of_uploads_ends_whatever_is_in_the_keys(core: Core, size: int) -> None:
    last = "\U0010ffff"  # behind which there is nothing
    keys = ["a", f"d/{last}1", f"d/{last}{last}2", f"d/{last}{last}3", "d/x", f"e{last}/1", "z"]
    for number, key in enumerate(keys):
        begin(core, f"1-{number}", f"s3/models/{key}")
    told, after = list[str](), ("", "")
    while True:
        page = core.read(object_uploads.page, ANN, "s3/models", "", "/", after, size)
        told += [one.path.removeprefix("s3/models/") for one in page.uploads]
        told += page.prefixes
        if page.end is None:
            break
        after = page.end
        assert len(told) <= len(keys)
    assert sorted(told) == ["a", "d/", f"e{last}/", "z"]


def test_nobody_writes_to_a_bucket_of_another_store_nor_means_what_lies_here(core: Core) -> None:
    put(core)
    put(core, "s3/models-of-ours/m")
    upload = begin(core)
    assert core.read(sources.resolve, "s3://models/churn.bin", None, None).manifest
    core.write(buckets.reserve, ["models", "runs"])
    core.write(buckets.reserve, ["models"])
    with pytest.raises(Forbidden, match="The bucket 'models' is not this server's"):
        put(core)
    args = ANN, upload, "a" * 64, 100_000, core.clock.now_ms(), Brought("x-1")
    with pytest.raises(Forbidden):
        core.write(object_uploads.complete, *args)
    with pytest.raises(Forbidden):
        core.write(artifacts.put, ANN, "s3/runs/m", "a" * 64, 100_000)
    with pytest.raises(Forbidden):
        core.read(artifacts.check_put, ANN, "s3/runs/m")
    assert core.read(sources.resolve, "s3://models/churn.bin", None, None).manifest is None
    assert core.read(sources.resolve, "s3://models-of-ours/m", None, None).manifest
    squatted = core.read(buckets.squatted, ["models", "runs"])
    assert squatted == [("models", 1, 1)]
    core.restart()
    with pytest.raises(Forbidden):
        put(core)
    assert core.write(objects.delete, ANN, [PATH]) == {}
    assert core.read(buckets.squatted, ["models"]) == []
