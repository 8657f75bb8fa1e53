"""The tallies in Prometheus' words (docs/how-to/observe.md lists them); loaded at the first scrape.

Names and units are as Prometheus has them: seconds, bytes, `_total` of what only grows. No label
has a value that a client can choose.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from modelkeep import __version__
from modelkeep.protocols.native.paths import is_native
from modelkeep.protocols.probes import ALL
from modelkeep.services.census import Census
from modelkeep.telemetry.tallies import Commits, Histogram, Reads, Requests, Tallies

_OF_ROUTE = ("dialect", "route", "method")
_process = ProcessCollector(registry=None)


def render(
    tallies: Tallies, checks: Mapping[str, str], census: Census | None, accepted: str
) -> tuple[bytes, bytes]:
    """The media type and the text that a scraper accepts. `checks` tell by name what is wrong."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Moment(tallies, checks, census))
    encode, kind = choose_encoder(accepted)
    return kind.encode(), encode(registry)


class _Moment(Collector):
    """Everything there is to tell, as it is now."""

    def __init__(self, tallies: Tallies, checks: Mapping[str, str], census: Census | None) -> None:
        self._tallies, self._checks, self._census = tallies, checks, census

    def collect(self) -> Iterator[Metric]:
        process = self._tallies.process
        for family in self._families():
            if process:  # one of several behind this address, each of which counts for itself
                own = {"process": process}
                family.samples = [s._replace(labels=own | s.labels) for s in family.samples]
            yield family

    def _families(self) -> Iterator[Metric]:
        tallies = self._tallies
        facts = {"version": __version__, "schema": tallies.schema, "database": tallies.database}
        yield InfoMetricFamily("modelkeep_build", "What runs here.", value=facts)
        checks = GaugeMetricFamily(
            "modelkeep_check_ok", "1 where a check of /ready is in order.", labels=["check"]
        )
        for name, why in self._checks.items():
            checks.add_metric([name], not why)
        yield checks
        with suppress(OSError):  # the check of the disk says what is wrong with it
            left = tallies.free_bytes()
            yield _gauge("modelkeep_disk_free_bytes", "On the data directory's disk.", left)
        yield from _of_requests(tallies.requests)
        yield from _of_commits(tallies.commits, tallies.waiting())
        yield from _of_reads(tallies.reads)
        yield _counter(
            "modelkeep_webhook_attempts",
            "Deliveries of webhooks that were tried.",
            "outcome",
            {"delivered": tallies.attempts.delivered, "failed": tallies.attempts.failed},
        )
        if self._census:
            yield from _of_registry(self._census)
        yield from _process.collect()


def _of_requests(requests: Requests) -> Iterator[Metric]:
    yield _gauge("modelkeep_http_requests_in_flight", "Being answered now.", requests.in_flight)
    total = CounterMetricFamily(
        "modelkeep_http_requests", "Requests answered.", labels=[*_OF_ROUTE, "status"]
    )
    took = HistogramMetricFamily(
        "modelkeep_http_request_duration_seconds",
        "From a request's headers to the end of its answer.",
        labels=_OF_ROUTE,
    )
    received = CounterMetricFamily(
        "modelkeep_http_received_bytes", "Bodies of requests.", labels=_OF_ROUTE
    )
    sent = CounterMetricFamily("modelkeep_http_sent_bytes", "Bodies of answers.", labels=_OF_ROUTE)
    for (path, method), route in sorted(requests.routes.items()):
        labels = [_dialect(path), path or "none", method]
        for digit, count in enumerate(route.statuses):
            if count:
                total.add_metric([*labels, f"{digit}xx"], count)
        took.add_metric(labels, _buckets(route.took_s), route.took_s.total)
        received.add_metric(labels, route.received_bytes)
        sent.add_metric(labels, route.sent_bytes)
    yield from (total, took, received, sent)


def _dialect(path: str) -> str:
    if not path:
        return "none"
    if path in ALL:
        return "probe"
    return "native" if is_native(path) else "mlflow"


def _of_commits(commits: Commits, waiting: int) -> Iterator[Metric]:
    yield _gauge("modelkeep_changes_waiting", "Changes that wait for their batch.", waiting)
    outcomes = {"stored": commits.commits, "failed": commits.failed}
    yield _counter("modelkeep_commits", "Batches of changes.", "outcome", outcomes)
    yield _histogram(
        "modelkeep_commit_duration_seconds", "A batch, its flush included.", commits.took_s
    )
    yield _histogram("modelkeep_commit_changes", "Changes in a batch.", commits.changes)
    yield _counter(
        "modelkeep_journal_events", "Journal entries made here.", "event", commits.events
    )
    yield _counter(
        "modelkeep_decisions",
        "Guarded moves decided here, but for refusals that repeat one.",
        "outcome",
        {"passed": 0, "waiting": 0, "refused": 0} | commits.decisions,
    )
    yield _counter(
        "modelkeep_gate_verdicts",
        "What single gates said in them.",
        "outcome",
        {"passed": 0, "pending": 0, "failed": 0} | commits.verdicts,
    )


def _of_reads(reads: Reads) -> Iterator[Metric]:
    kinds = {"point": reads.points, "remembered": reads.remembered, "other": reads.others}
    yield _counter("modelkeep_reads", "Reads but for searches.", "kind", kinds)
    outcomes = {"quick": reads.searches - reads.long_searches, "long": reads.long_searches}
    yield _counter("modelkeep_searches", "Searches begun.", "kind", outcomes)
    yield CounterMetricFamily(
        "modelkeep_searches_out_of_time", "Searches given up.", value=reads.out_of_time
    )
    yield _gauge("modelkeep_searches_running", "Searches in the database.", reads.running)
    waiting = max(0, reads.searching - reads.running)
    yield _gauge("modelkeep_searches_waiting", "Searches that wait for their turn.", waiting)


def _of_registry(census: Census) -> Iterator[Metric]:
    yield _gauge("modelkeep_journal_entries", "Entries of the journal.", census.entries)
    if census.signed:
        age_s = max(0, census.now_ms - census.signed.at_ms) / 1000
        yield _gauge("modelkeep_checkpoint_entries", "Of which are signed.", census.signed.size)
        yield _gauge("modelkeep_checkpoint_age_seconds", "Since it was last signed.", age_s)
    yield _gauge("modelkeep_webhook_deliveries_waiting", "Not delivered yet.", census.deliveries)
    yield _gauge("modelkeep_intake_waiting", "Not hashed or taken in yet.", census.intake)


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(name, told, value=value)


def _counter(name: str, told: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, told, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family


def _histogram(name: str, told: str, values: Histogram) -> Metric:
    return HistogramMetricFamily(name, told, buckets=_buckets(values), sum_value=values.total)


def _buckets(values: Histogram) -> list[tuple[str, float]]:
    """By upper bound, each with those below it."""
    total, found = 0, []
    for bound, count in zip((*values.bounds, float("inf")), tuple(values.counts), strict=True):
        total += count
        found.append((floatToGoString(bound), float(total)))
    return found
