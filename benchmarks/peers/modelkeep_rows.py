"""What a crowded modelkeep has in its tables, in its default project."""

from collections.abc import Iterator

from benchmarks.seeds import BEGAN_MS, Crowd, Row, Seed, Tables
from modelkeep.domain.access import Actor
from modelkeep.domain.events import Event, encode
from modelkeep.domain.merkle import TILE_HEIGHT, Frontier, leaf_hash


def of_crowd(crowd: Crowd) -> Seed:
    """Fills the tables of modelkeep, which must be empty, in its default project."""

    def seed(tables: Tables) -> None:
        _rows(tables, crowd)
        _journal(tables, crowd)
        for table in ("models", "versions", "slots", "occupancies"):
            tables.number_on(table)

    return seed


def _rows(tables: Tables, crowd: Crowd) -> None:
    models, champions = crowd.models, {version.model: version for version in crowd}
    tables.insert(
        "models",
        "id, project_id, name, handle, description, next_number, created_ms, updated_ms",
        (
            (index + 1, 1, name, name, "", champions[index].number + 1, BEGAN_MS, BEGAN_MS + index)
            for index, name in enumerate(models)
        ),
    )
    tables.insert(
        "model_names",
        "project_id, model_id, name, from_ms",
        ((1, index + 1, name, BEGAN_MS) for index, name in enumerate(models)),
    )
    tables.insert(
        "versions",
        "id, project_id, model_id, number, source, description, stage, author, created_ms,"
        " updated_ms, semver_major",
        (
            (
                *(v.index + 1, 1, v.model + 1, v.number, v.source(models[v.model])),
                *("d", "None", "ann", v.created_ms, v.updated_ms, v.number),
            )
            for v in crowd
        ),
    )
    tables.insert(
        "version_tags",
        "project_id, version_id, key, value",
        ((1, v.index + 1, key, value) for v in crowd for key, value in v.tags.items()),
    )
    tables.insert(
        "slots",
        "id, project_id, model_id, kind, name, epoch, version_id",
        (
            (model + 1, 1, model + 1, "alias", "champion", 1, v.index + 1)
            for model, v in champions.items()
        ),
    )
    tables.insert(
        "occupancies",
        "project_id, slot_id, version_id, epoch, from_ms, approved",
        ((1, model + 1, v.index + 1, 1, v.created_ms, 0) for model, v in champions.items()),
    )


def _journal(tables: Tables, crowd: Crowd) -> None:
    """An entry a version, about its model, with the tree's inner nodes that the server keeps."""
    size, peaks = tables.one("SELECT size, peaks FROM journal_state")
    frontier, tiles = Frontier.decode(size, bytes(peaks)), list[Row]()

    def leaves() -> Iterator[Row]:
        nonlocal frontier
        for version in crowd:
            at_ms, index = version.created_ms, frontier.size
            event = Event("bench:seeded", object={"version": version.index})
            body = encode(event, at_ms=at_ms, project="default", actor=Actor(), request_id="").body
            digest = leaf_hash(body)
            whole = frontier.completed(digest)
            tiles.extend(
                (1, level, (index + 1 >> TILE_HEIGHT * level) - 1, h) for level, h in whole
            )
            frontier = frontier.append(digest)
            yield (1, index, at_ms, version.model + 1, "", body, digest, frontier.root, "{}")

    tables.insert(
        "journal_leaves",
        "project_id, idx, at_ms, model_id, request, body, hash, root, texts",
        leaves(),
    )
    tables.insert("journal_tiles", "project_id, level, idx, hash", tiles)
    tables.run("DELETE FROM journal_state")
    tables.insert(
        "journal_state",
        "project_id, size, peaks, last_ms",
        [(1, frontier.size, frontier.encode(), BEGAN_MS + crowd.versions)],
    )
