"""GraphQL itself: the schema, the bounds of a query (CVE-2025-0453), and its execution.

Imported by the first query, because the library takes its time and its memory.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLScalarType,
    GraphQLSchema,
    IntValueNode,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    build_schema,
    execute_sync,
    parse,
    specified_rules,
    validate,
)

from modelkeep.domain.errors import ModelkeepError

# MLflow's own bounds, and its words (MLflow 3.17.2, `server/graphql`).
ROOT_FIELDS_LIMIT = ALIASES_LIMIT = DEPTH_LIMIT = 10
SELECTIONS_LIMIT = 1_000
TOKENS_LIMIT = 10_000  # a thousand selections have some 4,000
COMMENTS_LIMIT = 1_000
ERRORS_LIMIT = 10
EXPECTED = (ModelkeepError, GraphQLError)
_RULES = (*specified_rules, NoSchemaIntrospectionCustomRule)


def execute(
    source: str,
    variables: dict[str, Any],
    operation: str | None,
    resolve: Callable[..., Any],
) -> ExecutionResult:
    """Whatever is wrong with the query is an error of the result; nothing is raised for it."""
    try:
        document = parse(
            source,
            no_location=True,
            max_lexical_tokens=TOKENS_LIMIT,
            max_comments=COMMENTS_LIMIT,
        )
        _check_bounds(document)
        wrong = validate(_SCHEMA, document, _RULES, max_errors=ERRORS_LIMIT)
    except GraphQLError as error:
        return ExecutionResult(None, [error])
    except RecursionError:
        return ExecutionResult(None, [GraphQLError("The query is nested too deeply.")])
    if wrong:
        return ExecutionResult(None, wrong)
    return execute_sync(
        _SCHEMA,
        document,
        variable_values=variables,
        operation_name=operation,
        field_resolver=resolve,
    )


# -- bounds ------------------------------------------------------------------------------------


def _check_bounds(document: DocumentNode) -> None:
    """Of every operation with its fragments put in, and of every fragment, used or not."""
    fragments = {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    total = roots = 0
    for node in document.definitions:
        if not isinstance(node, OperationDefinitionNode | FragmentDefinitionNode):
            continue
        waiting = [(node.selection_set, 1)]
        while waiting:
            selections, depth = waiting.pop()
            if depth > DEPTH_LIMIT:
                raise GraphQLError(f"Query exceeds maximum depth of {DEPTH_LIMIT}")
            fields = list(_fields(selections, fragments))
            total += len(fields)
            if total > SELECTIONS_LIMIT:
                raise GraphQLError(f"Query exceeds maximum total selections of {SELECTIONS_LIMIT}")
            if depth == 1 and isinstance(node, OperationDefinitionNode):
                roots += len(fields)
                _check_count(roots, ROOT_FIELDS_LIMIT, "root fields")
            _check_count(sum(f.alias is not None for f in fields), ALIASES_LIMIT, "aliases")
            waiting += [(f.selection_set, depth + 1) for f in fields if f.selection_set]


def _fields(
    selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> Iterator[FieldNode]:
    """The fields of one level; a fragment's count once, as they do in the answer."""
    seen: set[str] = set()
    waiting = [selections]
    while waiting:
        for selection in waiting.pop().selections:
            if isinstance(selection, FieldNode):
                yield selection
                continue
            if not isinstance(selection, FragmentSpreadNode):
                waiting.append(selection.selection_set)  # type: ignore[attr-defined]
                continue
            name = selection.name.value
            if name in fragments and name not in seen:
                seen.add(name)
                waiting.append(fragments[name].selection_set)


def _check_count(given: int, limit: int, what: str) -> None:
    if given > limit:
        raise GraphQLError(
            f"GraphQL queries should have at most {limit} {what}, got {given} {what}."
        )


# -- schema ------------------------------------------------------------------------------------


def _long(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise GraphQLError("Expected an integer.")
    try:
        return int(value)
    except ValueError:
        raise GraphQLError("Expected an integer.") from None


def _long_literal(node: ValueNode) -> int:
    if not isinstance(node, IntValueNode):
        raise GraphQLError("Expected an integer.")
    return _long(node.value)


def _load() -> GraphQLSchema:
    schema = build_schema(Path(__file__).with_name("schema.graphql").read_text("utf-8"))
    long = schema.type_map["LongString"]
    assert isinstance(long, GraphQLScalarType)
    long.coerce_output_value = str
    long.coerce_input_value = _long
    long.coerce_input_literal = _long_literal
    return schema


_SCHEMA = _load()
