"""The demo is the story of the product; it must end well on either database."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.clients import Client

ROOT = Path(__file__).parents[2]


@pytest.mark.client
def test_the_demo_tells_its_story_to_the_end(mlflow3: Client, database_url: str) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MODELKEEP_")}
    environment["MODELKEEP_CLIENT_PYTHON"] = str(mlflow3.python)
    if database_url:
        environment["MODELKEEP_DATABASE_URL"] = database_url
    told = subprocess.run(
        [sys.executable, str(ROOT / "demo" / "run.py")],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr[-3000:]
    for scene in ("may not enter Production", "waits to enter Production", "is an author of",
                  "Archived -> Production", "TAMPERED WITH", "Done in"):  # fmt: skip
        assert scene in told.stdout
