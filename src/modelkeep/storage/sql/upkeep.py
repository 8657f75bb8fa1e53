"""SQL for whatever looks after the bytes: which are named, which are not."""

_BLOBS_IN_TABLES_SINCE, GONE_SINCE = "0006", "0021"


def named_blobs(schema: str) -> str:
    """The query for (SHA-256, size) of the blobs that the rows of a schema name, by SHA-256.

    Small files lie beside the rows, and of what garbage collection has deleted there is nothing.
    """
    query = (
        "SELECT sha256, max(size_bytes) FROM (SELECT sha256, size_bytes FROM artifacts"
        " UNION ALL SELECT sha256, size_bytes FROM manifest_files) named WHERE 1 = 1"
    )
    if schema >= _BLOBS_IN_TABLES_SINCE:
        query += (
            " AND NOT EXISTS (SELECT 1 FROM small_blobs s WHERE s.project_id = 1"
            " AND s.sha256 = named.sha256)"
        )
    if schema >= GONE_SINCE:
        query += (
            " AND NOT EXISTS (SELECT 1 FROM garbage g WHERE g.project_id = 1"
            " AND g.sha256 = named.sha256 AND g.gone_ms IS NOT NULL)"
        )
    return query + " GROUP BY sha256 ORDER BY sha256"
