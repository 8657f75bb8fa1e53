"""Which names a reader takes for one another."""

import pytest

from modelkeep.domain.accounts import check_name
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.likeness import skeleton


@pytest.mark.parametrize(
    "other",
    ["Champion", "CHAMPION", "champ-ion", "champion_", "champ1on", "champlon", "chаmpion",
     "сһамріоп", "ｃhampion", "champi0n", "chámpiọn", "charnpion"],
)  # fmt: skip
def test_names_that_read_alike_have_one_skeleton(other: str) -> None:
    assert skeleton(other) == skeleton("champion")


@pytest.mark.parametrize(
    "other", ["challenger", "champions", "champion2", "camp", "чемпион", "冠軍"]
)
def test_names_that_do_not_have_another(other: str) -> None:
    assert skeleton(other) != skeleton("champion")


@pytest.mark.parametrize(
    "name",
    ["modelkeep", "ModelKeep", "mоdelkeep", "model-keep", "system", "Systern", "b00tstrap",
     "sagemaker", "SageMaker", "sage-rnaker"],
)  # fmt: skip
def test_nobody_is_called_what_the_system_is(name: str) -> None:
    with pytest.raises(InvalidInput, match="No account can be named"):
        check_name(name)
