"""What modules are called, say of themselves, and bring along. `make check` holds the direction."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import modelkeep

PACKAGE = Path(modelkeep.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# Loaders of models run what a model says.
NEVER_LOADED_BY_A_SERVER = {
    *("mlflow", "joblib", "cloudpickle", "dill", "torch", "sklearn"),
}


def test_no_module_is_named_after_nothing() -> None:
    empty_names = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}
    named = {path: set(path.relative_to(PACKAGE).with_suffix("").parts) for path in MODULES}
    assert [str(path) for path, parts in named.items() if parts & empty_names] == []


def test_every_module_says_what_it_is() -> None:
    silent = [str(path) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_a_server_loads_no_library_that_loads_models() -> None:
    script = "import json, sys, modelkeep.server; print(json.dumps(sorted(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    roots = {name.partition(".")[0] for name in json.loads(loaded)}
    assert roots & NEVER_LOADED_BY_A_SERVER == set()


def test_nothing_is_run_that_was_a_text() -> None:
    """Neither Python nor a shell is ever given one. (Migrations fill in the types of columns.)"""
    names = {"eval", "exec", "compile", "__import__"}
    attributes = {"system", "popen", "unsafe_load", "format_map", "import_module"}
    found = []
    for path in (path for path in MODULES if "migrations" not in path.parts):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id=name)) if name in names:
                    found.append(f"{path}:{node.lineno}: {name}")
                case ast.Attribute(attr=name) if name in attributes:
                    found.append(f"{path}:{node.lineno}: {name}")
                case ast.Import(names=imported) if any(i.name == "subprocess" for i in imported):
                    found.append(f"{path}:{node.lineno}: subprocess")
    assert found == []
