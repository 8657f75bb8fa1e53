"""Searches in a registry of very many versions: see `seeds` for what is in it.

One client that keeps its connection alive asks one search after another; then it walks through
all versions, page by page; then it resolves an alias, over and over, alone and while eight others
search for what no index can find.
"""

import statistics
import threading
import time
from collections.abc import Iterable
from urllib.parse import urlencode

from benchmarks.load import API, Client, drive, warm_up
from benchmarks.peers.base import Peer
from benchmarks.plan import Plan, Sample
from benchmarks.seeds import BIG

SCANNERS = 8
WALK_PAGES = 100  # of 1,000 versions; the last one is quoted as well as the first

_VERSIONS, _MODELS = "/model-versions/search", "/registered-models/search"
_SCAN = {"filter": "source_path LIKE '%/none'", "max_results": 1}


def searches(repeats: int) -> dict[str, list[str]]:
    """What is asked, and the paths that ask it, as often as it is repeated."""
    ordered = {"order_by": "version_number DESC", "max_results": 200}
    fixed = {
        f"name = '{BIG}', version_number DESC, 200": (_VERSIONS, f"name='{BIG}'", ordered),
        f"name = '{BIG}', 10": (_VERSIONS, f"name='{BIG}'", {"max_results": 10}),
        "a tag that 0.1 % have": (_VERSIONS, "tags.rare='yes'", {}),
        "a tag that 25 % have": (_VERSIONS, "tags.framework='torch'", {}),
        "both tags": (_VERSIONS, "tags.framework='torch' AND tags.rare='yes'", {}),
        "all versions": (_VERSIONS, "", {}),
        "all models": (_MODELS, "", {}),
        "models, name ILIKE '%0042%'": (_MODELS, "name ILIKE '%0042%'", {}),
    }
    found = {
        "name = a model of 80, 200": [
            _path(_VERSIONS, f"name='m-{n % 10:06d}'", {"max_results": 200}) for n in range(repeats)
        ],
        "a tag that one has": [
            _path(_VERSIONS, f"tags.git='g{n * 7}'", {}) for n in range(repeats)
        ],
    }
    return found | {name: [_path(*parts)] * repeats for name, parts in fixed.items()}


def measure(peer: Peer, plan: Plan) -> list[Sample]:
    peer = peer.crowded(plan.crowd)
    with peer.running():
        peer.settle()
        warm_up(peer.url, plan.warm_up_s)
        client = Client(peer.url)
        samples = [
            _sample(peer, f"search: {name}", [_timed(client, path) for path in paths])
            for name, paths in searches(plan.searches).items()
        ]
        samples += _walk(peer, client)
        samples += _beside_scans(peer, client, plan)
        client.close()
    return samples


def _path(path: str, where: str, more: dict[str, object]) -> str:
    return (
        f"{path}?{urlencode({'max_results': 100, **({'filter': where} if where else {}), **more})}"
    )


def _timed(client: Client, path: str) -> float:
    began = time.perf_counter()
    client.call("GET", path)
    return (time.perf_counter() - began) * 1000


def _sample(peer: Peer, name: str, times_ms: list[float], **more: float) -> Sample:
    detail = {"p50_ms": statistics.median(times_ms), "p99_ms": _p99(times_ms), **more}
    return Sample(name, peer.name, detail["p50_ms"], "ms", rate=False, detail=detail)


def _p99(times_ms: Iterable[float]) -> float:
    ordered = sorted(times_ms)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def _walk(peer: Peer, client: Client) -> list[Sample]:
    """All versions in pages of 1,000, as far as there are any."""
    times_ms, token = [], ""
    for _ in range(WALK_PAGES):
        began = time.perf_counter()
        page = client.call(
            "GET", f"{_VERSIONS}?{urlencode({'max_results': 1000, 'page_token': token})}"
        )
        times_ms.append((time.perf_counter() - began) * 1000)
        token = page.get("next_page_token", "")
        if not token:
            break
    first, last = times_ms[:5], times_ms[-5:]
    ratio = statistics.median(last) / statistics.median(first)
    return [
        _sample(peer, "search: a page of 1,000, the first", first),
        _sample(
            peer, "search: a page of 1,000, the last", last, pages=len(times_ms), to_first=ratio
        ),
    ]


def _beside_scans(peer: Peer, client: Client, plan: Plan) -> list[Sample]:
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
    more = {"times_alone_at_p99": _p99(beside) / _p99(alone), "scans_per_s": scans[0]}
    return [
        _sample(peer, "an alias, alone", alone),
        _sample(peer, f"an alias, while {SCANNERS} clients scan", beside, **more),
    ]


def _for_seconds(client: Client, path: str, seconds: int) -> list[float]:
    end, times_ms = time.perf_counter() + seconds, []
    while time.perf_counter() < end:
        times_ms.append(_timed(client, path))
    return times_ms
