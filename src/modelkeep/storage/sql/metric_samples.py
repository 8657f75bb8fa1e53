"""Points of a metric thinned out, as charts draw them: the database counts, and sends few."""

from modelkeep.domain.tracking import Metric
from modelkeep.storage.sql.dialects import Db
from modelkeep.storage.sql.metrics import read

# The first point of each of `limit` buckets of nearly one size, and the last point of all.
_SAMPLE = (
    "SELECT value, is_nan, at_ms, step FROM ("
    "SELECT points.*, LAG(bucket) OVER (ORDER BY place) AS before FROM ("
    "SELECT value, is_nan, at_ms, step, NTILE(?) OVER w AS bucket,"
    " ROW_NUMBER() OVER w AS place, COUNT(*) OVER () AS total FROM metrics"
    " WHERE project_id = ? AND run = ? AND key = ? AND step BETWEEN ? AND ?"
    " WINDOW w AS (ORDER BY step, at_ms, value, is_nan)) AS points) AS bucketed"
    " WHERE before IS NULL OR before <> bucket OR place = total ORDER BY place"
)


def sample_of(
    db: Db, project_id: int, run: int, key: str, steps: tuple[int, int], limit: int
) -> list[Metric]:
    """See `ports.tracking.Runs.sample`; which points, as MLflow 3.17's SQL store chooses them."""
    rows = db.all(_SAMPLE, limit, project_id, run, key, *steps)
    if len(rows) > limit:
        del rows[-2]  # the last bucket is told by its end
    return [Metric(key, read(value, is_nan), at, step) for value, is_nan, at, step in rows]
