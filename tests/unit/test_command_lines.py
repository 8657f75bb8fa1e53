"""What the command line says of arguments that cannot be meant."""

import pytest

from modelkeep.cli.client import USAGE
from tests.support.cli import modelkeep


@pytest.mark.parametrize(
    "line",
    [
        ("versions", "list", "churn/3"),
        ("compare", "churn/3"),
        ("history", "models:/churn/3"),
        ("at", "churn/3", "2026-11-20T10:00"),
        ("rollback", "churn/3", "--reason", "worse"),
        ("lifecycle", "show", "churn/3"),
        ("alias", "delete", "churn/3", "champion"),
    ],
    ids=lambda line: line[0],
)
def test_a_version_is_no_model(line: tuple[str, ...]) -> None:
    ended = modelkeep(*line)
    assert ended.code == USAGE
    assert "is not a model's name, which has no '/': write churn." in " ".join(
        ended.err.replace("│", " ").split()
    )
