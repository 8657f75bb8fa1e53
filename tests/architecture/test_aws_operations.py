"""docs/protocols/aws-divergences.md lists the operations of services that are here in part."""

import re
from pathlib import Path

import pytest

from modelkeep.protocols.aws.operations import ALL

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "protocols" / "aws-divergences.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("title", "service"), [("EventBridge", "events"), ("SNS", "sns")])
def test_the_page_lists_the_operations_that_are_here(title: str, service: str) -> None:
    (row,) = re.findall(rf"^\| {title} \| (.*) \|$", PAGE, re.MULTILINE)
    here = [name for of, name in ALL if of == service]
    assert sorted(re.findall(r"`(\w+)`", row)) == sorted(here)
