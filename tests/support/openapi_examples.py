"""Run by the tools' own Python: every example of an OpenAPI 3.1 document, held against its schema.

Prints one line for each that does not fit, and exits 1 then.
"""
# pyright: reportMissingImports=false, reportMissingModuleSource=false

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012


def examples(node: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    """(place, schema, example) of everything that has both."""
    if isinstance(node, dict):
        if "schema" in node:
            if "example" in node:
                yield where, node["schema"], node["example"]
            for name, example in node.get("examples", {}).items():
                yield f"{where}/{name}", node["schema"], example["value"]
        for key, value in node.items():
            yield from examples(value, f"{where}/{key}")
    if isinstance(node, list):
        for number, value in enumerate(node):
            yield from examples(value, f"{where}/{number}")


def main() -> int:
    document = json.loads(Path(sys.argv[1]).read_text())
    whole = Resource.from_contents(document, default_specification=DRAFT202012)
    registry = Registry().with_resource("urn:api", whole)
    text = json.dumps(document).replace('"$ref": "#/', '"$ref": "urn:api#/')
    count = bad = 0
    for where, schema, example in examples(json.loads(text), ""):
        count += 1
        validator = Draft202012Validator(schema, registry=registry)
        for error in validator.iter_errors(example):
            bad += 1
            print(f"{where}: {error.json_path}: {error.message}")
    print(f"{count} examples, {bad} errors")
    return int(bad > 0 or count == 0)


if __name__ == "__main__":
    sys.exit(main())
