"""A registry of ever more versions: see `seeds` for what is in it.

One client that keeps its connection alive asks one search after another, then walks through all
versions, page by page. Then it resolves an alias, over and over, alone and while eight others
search for what no index can find. What costs the same however much there is, is measured at each
size: `sizes`.
"""

import contextlib
import statistics
import threading
import time
from urllib.parse import urlencode

from benchmarks import sizes
from benchmarks.load import API, Client, drive, warm_up
from benchmarks.peers.base import Peer
from benchmarks.plan import Plan, Sample
from benchmarks.seeds import BIG, Crowd
from benchmarks.timing import in_ms, percentile, timed_ms

SCANNERS = 8
WALK_PAGES = 50  # of 1,000 versions; the last one is quoted as well as the first
SCANNED = 100_000  # versions at most: one scan of a million takes a second

_VERSIONS, _MODELS = "/model-versions/search", "/registered-models/search"
_SCAN = {"filter": "source_path LIKE '%/none'", "max_results": 1}


def searches(repeats: int) -> dict[str, list[str]]:
    """What is asked, a page of 100 but where it says so, and the paths that ask it."""
    fixed = {
        f"name = '{BIG}', version_number DESC": _path(
            _VERSIONS, f"name='{BIG}'", order_by="version_number DESC"
        ),
        f"name = '{BIG}', 10": _path(_VERSIONS, f"name='{BIG}'", max_results=10),
        "a tag that 0.1 % have": _path(_VERSIONS, "tags.rare='yes'"),
        "a tag that 25 % have": _path(_VERSIONS, "tags.framework='torch'"),
        "both tags": _path(_VERSIONS, "tags.framework='torch' AND tags.rare='yes'"),
        "all versions": _path(_VERSIONS),
        "all versions, last updated first": _path(
            _VERSIONS, order_by="last_updated_timestamp DESC"
        ),
        "all models": _path(_MODELS),
        "models, name ILIKE '%0042%'": _path(_MODELS, "name ILIKE '%0042%'"),
    }
    found = {
        "name = a model of 80": [
            _path(_VERSIONS, f"name='m-{n % 10:06d}'") for n in range(repeats)
        ],
        "a tag that one has": [_path(_VERSIONS, f"tags.git='g{n * 7}'") for n in range(repeats)],
    }
    return found | {name: [path] * repeats for name, path in fixed.items()}


def measure(peer: Peer, plan: Plan, crowd: Crowd) -> list[Sample]:
    peer = peer.crowded(crowd)
    with peer.running(), contextlib.closing(Client(peer.url)) as client:
        peer.settle()
        warm_up(peer.url, plan.warm_up_s)
        size = crowd.versions
        samples = [
            in_ms(peer, f"search: {name}", [_get_ms(client, path) for path in paths], size)
            for name, paths in searches(plan.searches).items()
        ]
        samples += _walk(peer, client, size)
        if size <= SCANNED:
            samples += _beside_scans(peer, client, plan, size)
        samples += sizes.measure(peer, client, plan, crowd)
    peer.forget()
    return samples


def _path(path: str, where: str = "", **more: str | int) -> str:
    asked = {"max_results": 100, **({"filter": where} if where else {}), **more}
    return f"{path}?{urlencode(asked)}"


def _get_ms(client: Client, path: str) -> float:
    return timed_ms(lambda: client.call("GET", path))


def _walk(peer: Peer, client: Client, size: int) -> list[Sample]:
    """All versions in pages of 1,000, as far as there are any."""
    times_ms, token = [], ""
    for _ in range(WALK_PAGES):
        began = time.perf_counter()
        asked = urlencode({"max_results": 1000, "page_token": token})
        page = client.call("GET", f"{_VERSIONS}?{asked}")
        times_ms.append((time.perf_counter() - began) * 1000)
        token = page.get("next_page_token", "")
        if not token:
            break
    first, last = times_ms[:5], times_ms[-5:]
    more = {"pages": len(times_ms), "to_first": statistics.median(last) / statistics.median(first)}
    return [
        in_ms(peer, "search: a page of 1,000, the first", first, size),
        in_ms(peer, "search: a page of 1,000, the last", last, size, **more),
    ]


def _beside_scans(peer: Peer, client: Client, plan: Plan, size: int) -> list[Sample]:
    """Aliases resolved alone, and while others scan: whom a scan delays is seen in the p99."""
    alias = f"/registered-models/alias?{urlencode({'name': BIG, 'alias': 'champion'})}"
    alone = _for_seconds(client, alias, plan.load_s)
    url = f"{peer.url}{API}{_VERSIONS}?{urlencode(_SCAN)}"
    scans: list[float] = []
    thread = threading.Thread(
        target=lambda: scans.append(drive(url, "get", SCANNERS, plan.load_s).per_s)
    )
    thread.start()
    beside = _for_seconds(client, alias, plan.load_s)
    thread.join()
    more = {
        "times_alone_at_p99": percentile(beside, 0.99) / percentile(alone, 0.99),
        "scans_per_s": scans[0],
    }
    return [
        in_ms(peer, "search: an alias, alone", alone, size),
        in_ms(peer, f"search: an alias, while {SCANNERS} clients scan", beside, size, **more),
    ]


def _for_seconds(client: Client, path: str, seconds: int) -> list[float]:
    end, times_ms = time.perf_counter() + seconds, []
    while time.perf_counter() < end:
        times_ms.append(_get_ms(client, path))
    return times_ms
