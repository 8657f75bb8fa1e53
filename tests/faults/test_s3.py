"""An S3 store that fails: nothing is called kept that is not, nothing is lost that was, and whoever
waits is told why."""

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
import pytest

from modelkeep.domain.errors import IntegrityFailure, Unavailable
from modelkeep.storage.blobs import bucket, s3
from modelkeep.storage.blobs.bucket import Bucket, connect
from modelkeep.storage.blobs.direct import S3Direct
from modelkeep.storage.blobs.s3 import S3Blobs
from tests.conftest import StartServer
from tests.support.flaky import Flaky
from tests.support.s3 import Store, environment, running_store
from tests.support.server import Server

MIB = 1 << 20
LARGE = os.urandom(6 * MIB + 5)  # two parts
SMALL = LARGE[: 2 * MIB]
FILES = "/api/2.0/mlflow-artifacts/artifacts"


@pytest.fixture(scope="module")
def flaky(moto: Store) -> Iterator[Flaky]:
    with Flaky(moto.port).running() as flaky:
        yield flaky


@pytest.fixture(scope="module")
def client(moto: Store, flaky: Flaky) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(s3, "PART_BYTES", 5 * MIB)
        with connected(moto, flaky) as client:
            yield client


@contextmanager
def connected(moto: Store, flaky: Flaky, **patience: float) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bucket, "ATTEMPTS", 2)
        for name, value in patience.items():
            patch.setattr(bucket, name, value)
        with environment({**moto.environment, "AWS_ENDPOINT_URL_S3": flaky.url}):
            client = connect("")
    with closing(client):
        yield client


@pytest.fixture
def blobs(moto: Store, flaky: Flaky, client: Any) -> Iterator[S3Blobs]:
    blobs = S3Blobs(Bucket(moto.place(), client))
    yield blobs
    flaky.fate = lambda method, path: None
    blobs.threads.shutdown()


def store(blobs: S3Blobs, content: bytes) -> str:
    upload = blobs.begin()
    try:
        upload.write([content])
        return upload.finish()[0]
    except BaseException:
        upload.abandon()
        raise


def names(blobs: S3Blobs) -> list[str]:
    return [one["Key"].rpartition("/")[2] for one in blobs.bucket.listed("")]


def read(blobs: S3Blobs, content: bytes) -> bytes:
    return b"".join(blobs.read(hashlib.sha256(content).hexdigest(), len(content)))


CALLS = {
    "begins": ("POST", "uploads"),
    "sends a part": ("PUT", "partNumber=1"),
    "puts the parts together": ("POST", "uploadId="),
    "looks": ("HEAD", ""),
    "copies": ("PUT", "blobs/"),
}


@pytest.mark.parametrize("fate", [503, "lost"])
@pytest.mark.parametrize("step", CALLS)
def test_one_failure_at_any_step_of_an_upload_is_overcome(
    blobs: S3Blobs, flaky: Flaky, step: str, fate: str | int
) -> None:
    flaky.once(fate, *CALLS[step])
    assert names(blobs) == []
    sha256 = store(blobs, LARGE)
    assert read(blobs, LARGE) == LARGE
    assert names(blobs) == [sha256]


def test_a_store_that_cannot_say_if_absent_is_written_to_all_the_same(
    blobs: S3Blobs, flaky: Flaky
) -> None:
    flaky.once(501, "PUT")
    assert names(blobs) == []
    store(blobs, SMALL)
    assert read(blobs, SMALL) == SMALL


@pytest.mark.parametrize("fate", [500, "dropped", "lost"])
def test_a_small_one_whose_answer_is_lost_is_there_once(
    blobs: S3Blobs, flaky: Flaky, fate: str | int
) -> None:
    flaky.once(fate, "PUT")
    sha256 = store(blobs, SMALL)
    assert read(blobs, SMALL) == SMALL
    assert names(blobs) == [sha256]


@pytest.mark.parametrize(
    ("step", "fate", "words"),
    [
        ("begins", 403, "refuses this server"),
        ("sends a part", 500, "fails"),
        ("sends a part", 400, "could not be stored"),
        ("puts the parts together", "dropped", "did not answer"),
        ("puts the parts together", 429, "fails"),
        ("copies", 500, "fails"),
        ("copies", 403, "refuses this server"),
    ],
)
def test_what_fails_for_good_is_not_called_kept(
    blobs: S3Blobs, flaky: Flaky, step: str, fate: str | int, words: str
) -> None:
    wanted, within = CALLS[step]
    flaky.fate = lambda method, path: fate if method == wanted and within in path else None
    with pytest.raises(Unavailable, match=words):
        store(blobs, LARGE)
    flaky.fate = lambda method, path: None
    assert hashlib.sha256(LARGE).hexdigest() not in names(blobs)
    blobs.sweep(2**62)  # what could not be thrown away at once
    assert names(blobs) == []


def test_a_name_that_is_taken_by_other_bytes_is_not_called_kept(
    blobs: S3Blobs, flaky: Flaky
) -> None:
    key = blobs.key(hashlib.sha256(SMALL).hexdigest())
    blobs.bucket.call("put_object", Key=key, Body=b"not those")
    flaky.fate = lambda method, path: 412 if method == "PUT" else None
    with pytest.raises(Unavailable):
        store(blobs, SMALL)


def test_a_download_that_breaks_off_goes_on_where_it_was(blobs: S3Blobs, flaky: Flaky) -> None:
    store(blobs, LARGE)
    flaky.calls.clear()
    flaky.once("half", "GET", "blobs/")
    assert read(blobs, LARGE) == LARGE
    assert len(flaky.calls) == 2
    flaky.fate = lambda method, path: "half"  # each time half of what is left
    with pytest.raises(Unavailable):
        read(blobs, LARGE)


def test_a_store_that_says_nothing_is_not_waited_for_long(
    blobs: S3Blobs, moto: Store, flaky: Flaky
) -> None:
    sha256 = store(blobs, SMALL)
    with connected(moto, flaky, READ_TIMEOUT_S=1) as client:
        hasty = S3Blobs(Bucket(blobs.bucket.place, client))
        with moto.frozen():
            for call in (lambda: store(hasty, LARGE), lambda: hasty.check(sha256, len(SMALL))):
                with pytest.raises(Unavailable, match="did not answer"):
                    call()
        hasty.threads.shutdown()
    assert read(blobs, SMALL) == SMALL


def test_what_broke_off_long_ago_is_swept_and_nothing_else(blobs: S3Blobs) -> None:
    kept = store(blobs, SMALL)
    upload = blobs.begin()
    upload.write([LARGE])  # and then the process is killed
    blobs.bucket.call("put_object", Key=blobs.new_key("incoming"), Body=b"put together")
    direct = S3Direct(blobs)
    landing = direct.open()
    now_ms = 1000 * int(next(iter(blobs.bucket.listed("")))["LastModified"].timestamp())
    blobs.sweep(now_ms + s3.STALE_MS - 60_000)
    assert len(names(blobs)) == 2
    blobs.sweep(now_ms + s3.STALE_MS + 60_000)
    assert names(blobs) == [kept]
    listed = blobs.bucket.call("list_multipart_uploads").get("Uploads", [])
    assert [one["Key"] for one in listed if one["Key"] == landing.key] == []
    upload.abandon()


def test_what_landed_and_is_not_as_it_was_is_no_blob(blobs: S3Blobs) -> None:
    direct = S3Direct(blobs)
    blobs.bucket.call("put_object", Key="arrivals/x", Body=SMALL)
    with pytest.raises(IntegrityFailure, match="bytes, not"):
        direct.adopt("arrivals/x", len(SMALL) + 1)
    with pytest.raises(IntegrityFailure, match="not in the artifact store"):
        direct.adopt("arrivals/y", len(SMALL))
    assert names(blobs) == ["x"]


# -- with the whole server ----------------------------------------------------------------------


def content_of(path: str) -> bytes:
    block = hashlib.sha256(path.encode()).digest()
    return block * 20_000  # 640 kB


def upload_until_stopped(
    server: Server, label: str, kept: list[str], stop: threading.Event
) -> None:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:
        for number in range(10_000):
            path = f"{label}/{number}"
            answer = http.put(f"{FILES}/{path}", content=content_of(path))
            if answer.status_code == 200:
                kept.append(path)
            else:
                assert answer.status_code == 503, answer.text
                assert "artifact store" in answer.json()["message"]
            if stop.is_set():
                return


def test_a_store_that_is_killed_and_comes_back_has_all_that_was_acknowledged(
    start_server: StartServer,
) -> None:
    with running_store("swift") as store:  # one of its own, to be killed
        place = store.place()
        server = start_server("--artifacts", str(place), env=store.environment)
        kept: list[list[str]] = [[], []]
        stop = threading.Event()
        threads = [
            threading.Thread(target=upload_until_stopped, args=(server, str(n), kept[n], stop))
            for n in range(2)
        ]
        for thread in threads:
            thread.start()
        while sum(map(len, kept)) < 4:
            threads[0].join(0.01)
        store.crash()
        store.start()
        before = sum(map(len, kept))
        while sum(map(len, kept)) < before + 4:
            threads[0].join(0.01)
        stop.set()
        for thread in threads:
            thread.join()
        with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:
            assert http.get("/health").status_code == 200
            for path in (*kept[0], *kept[1]):
                assert http.get(f"{FILES}/{path}").content == content_of(path), path
