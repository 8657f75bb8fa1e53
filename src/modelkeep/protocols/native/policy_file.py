"""Reads a policy's YAML. Stricter than YAML: a key given twice is refused, not overridden."""

from typing import Any

import yaml

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.policies import SOURCE_LIMIT_BYTES


class _Loader(yaml.SafeLoader):
    """Plain data only: no tags of Python's, no references, no repeated keys."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.MarkedYAMLError(
                problem="references (*name) are not allowed in a policy",
                problem_mark=event.start_mark,
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key '{key}' is given twice", problem_mark=key_node.start_mark
                )
            seen.add(key if isinstance(key, str) else id(key_node))
        return super().construct_mapping(node, deep)


def parse(source: str) -> object:
    """The document in a YAML text. Raises InvalidInput naming the line."""
    if len(source.encode(errors="surrogatepass")) > SOURCE_LIMIT_BYTES:
        raise InvalidInput(f"A policy may have at most {SOURCE_LIMIT_BYTES} bytes.")
    try:
        return yaml.load(source, _Loader)  # noqa: S506 - a SafeLoader, made stricter
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise InvalidInput(f"The policy is not valid YAML: {where}{error.problem}.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidInput(f"The policy is not valid YAML: {error}.") from None
