"""SageMaker's limits on tags: what can be shown to its clients, and what they can set.

Source: the service's model (Tag, TagList), and its guide for the prefix.
"""

from collections.abc import Mapping

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.models import PROMPT_TAG

KEY_LIMIT, VALUE_LIMIT, TAGS_LIMIT = 128, 256, 50  # characters, characters, tags of one thing
RESERVED = "aws:"


def fitting(tags: Mapping[str, str]) -> dict[str, str]:
    """Those that are not too long, by key, however many there are."""
    return {
        key: value
        for key, value in sorted(tags.items())
        if len(key) <= KEY_LIMIT and len(value) <= VALUE_LIMIT
    }


def shown(tags: Mapping[str, str]) -> dict[str, str]:
    """Of those that are not too long as many as a thing can have."""
    return dict(list(fitting(tags).items())[:TAGS_LIMIT])


def check_keys(tags: Mapping[str, str]) -> None:
    """Raises InvalidInput for a key that only AWS sets, or that makes a prompt of a model."""
    if any(key.lower().startswith(RESERVED) for key in tags):
        raise InvalidInput("aws: prefixed tag key names are not allowed for external use.")
    if PROMPT_TAG in tags:  # which is no group: nobody here would find it again
        raise InvalidInput(f"The tag {PROMPT_TAG} is of MLflow's prompts, which are not made here.")


def check_addition(there: Mapping[str, str], new: Mapping[str, str]) -> None:
    """Raises InvalidInput where there would be more tags than a thing can have."""
    check_keys(new)
    shown = fitting(there)
    count = len({**shown, **new})
    if count > TAGS_LIMIT and count > len(shown):
        raise InvalidInput(
            f"A resource has at most {TAGS_LIMIT} tags; with these it would have {count}."
        )
