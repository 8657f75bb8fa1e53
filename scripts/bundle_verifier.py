"""Writes src/modelkeep_verify.py: one file that verifies, made of the modules that the server uses.

An auditor wants one file to read and to copy; we want one implementation. So the definitions that
`modelkeep.cli.verifier` needs, and no others, are taken from the modules where they live, in the
order of their imports, as they stand there. Names that two modules define are told apart by their
module. Whatever would need more than Python's own library and `cryptography` is refused.

    python scripts/bundle_verifier.py           writes it
    python scripts/bundle_verifier.py --check   exits 1 if it is not as it would be written
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SOURCES = Path(__file__).parents[1] / "src"
TARGET = SOURCES / "modelkeep_verify.py"
ROOT, START = "modelkeep.cli.verifier", ("main",)
ALLOWED = {*sys.stdlib_module_names, "cryptography"}
HEADER = '''"""{doc}"""

# Made by scripts/bundle_verifier.py from the modules named below: change those, and make it again.
# SPDX-License-Identifier: Apache-2.0

'''


Import = tuple[str, str]  # a module, and what of it; all of it, if that is empty


@dataclass
class Module:
    """A module of ours, statement by statement."""

    name: str
    lines: list[str]
    tree: ast.Module
    defined: dict[str, ast.stmt] = field(default_factory=dict)
    ours: dict[str, tuple[str, str]] = field(default_factory=dict)  # name -> module, name there
    theirs: dict[str, Import] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, name: str) -> "Module":
        file = SOURCES.joinpath(*name.split(".")).with_suffix(".py")
        if not file.exists():
            raise SystemExit(f"{name} is no module: import names from a module, and not modules.")
        source = file.read_text(encoding="utf-8")
        module = cls(name, source.splitlines(), ast.parse(source))
        for statement in module.tree.body:
            module._learn(statement)
        return module

    def _learn(self, statement: ast.stmt) -> None:
        match statement:
            case ast.ImportFrom(module=str(whence), names=names) if whence.startswith("modelkeep"):
                self.ours |= {n.asname or n.name: (whence, n.name) for n in names}
            case ast.ImportFrom(module=whence, names=names):
                self.theirs |= {n.name: (str(whence), n.name) for n in names}
            case ast.Import(names=names):
                self.theirs |= {n.name: (n.name, "") for n in names}
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                self.defined[name] = statement
            case ast.Assign(targets=targets):
                self.defined |= {n: statement for t in targets for n in _names(t)}
            case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
                self.defined |= dict.fromkeys(_names(target), statement)

    def chosen(self) -> Iterator[ast.stmt]:
        wanted = {id(self.defined[name]) for name in self.wanted}
        return (statement for statement in self.tree.body if id(statement) in wanted)

    def text(self, statement: ast.stmt) -> str:
        """As it stands, with the comments right above it."""
        decorators = getattr(statement, "decorator_list", [])
        first = min([statement.lineno, *(d.lineno for d in decorators)]) - 1
        while (
            first and self.lines[first - 1].startswith("#") and "---" not in self.lines[first - 1]
        ):
            first -= 1
        return "\n".join(self.lines[first : statement.end_lineno])


def _names(node: ast.AST) -> Iterator[str]:
    return (n.id for n in ast.walk(node) if isinstance(n, ast.Name))


class Bundle:
    """The modules that are needed, each after those that it imports."""

    def __init__(self) -> None:
        self.modules: dict[str, Module] = {}
        self.imports: set[Import] = set()
        for name in START:
            self._want(ROOT, name)

    def _module(self, name: str) -> Module:
        if name not in self.modules:
            self.modules[name] = Module.read(name)
        return self.modules[name]

    def _want(self, module_name: str, name: str) -> None:
        module = self._module(module_name)
        if name in module.wanted:
            return
        if name not in module.defined:
            raise SystemExit(
                f"{module_name} does not define {name}: import it from where it lives."
            )
        statement = module.defined[name]
        module.wanted |= {n for n, s in module.defined.items() if s is statement}
        for needed in dict.fromkeys(_names(statement)):
            if needed in module.ours:
                self._want(*module.ours[needed])
            elif needed in module.theirs:
                self.imports.add(module.theirs[needed])
            elif needed in module.defined:
                self._want(module_name, needed)
        self._check_inner(module_name, statement)

    def _check_inner(self, module_name: str, statement: ast.stmt) -> None:
        for node in ast.walk(statement):
            if isinstance(node, ast.ImportFrom | ast.Import):
                line = ast.unparse(node)
                _check_allowed(line.split()[1], f"{module_name} has '{line}'")

    def ordered(self) -> list[Module]:
        done: list[Module] = []

        def visit(module: Module) -> None:
            for whence, name in module.ours.values():
                below = self.modules.get(whence)
                if below and name in below.wanted and below not in done:
                    visit(below)
            if module not in done:
                done.append(module)

        visit(self.modules[ROOT])
        return done

    def write(self) -> str:
        modules = self.ordered()
        shared = _shared(modules)
        parts = []
        for module in modules:
            rule = f"# -- {module.name} ".ljust(100, "-")
            body = "\n\n\n".join(module.text(statement) for statement in module.chosen())
            parts.append(f"{rule}\n\n\n{_renamed(body, _renames(module, shared))}")
        doc = ast.get_docstring(self.modules[ROOT].tree, clean=True) or ""
        doc = doc.split("\n\nNOTE:")[0] + "\n"
        start = '\n\n\nif __name__ == "__main__":\n    main()\n'
        return HEADER.format(doc=doc) + self._imports() + "\n\n" + "\n\n\n".join(parts) + start

    def _imports(self) -> str:
        whole = sorted(module for module, name in self.imports if not name)
        some = sorted({module for module, name in self.imports if name})
        for module in (*whole, *some):
            _check_allowed(module, f"The verifier imports {module}")
        lines = [f"import {module}" for module in whole]
        for module in some:
            names = sorted(name for whence, name in self.imports if whence == module and name)
            lines.append(f"from {module} import {', '.join(names)}")
        return "\n".join(lines)


def _check_allowed(module: str, what: str) -> None:
    if module.partition(".")[0] not in ALLOWED:
        raise SystemExit(f"{what}, which whoever verifies may not have.")


def _shared(modules: list[Module]) -> set[str]:
    """The names that more than one module defines."""
    seen: set[str] = set()
    shared: set[str] = set()
    for module in modules:
        shared |= seen & module.wanted
        seen |= module.wanted
    return shared


def _renames(module: Module, shared: set[str]) -> dict[str, str]:
    """What a module's names are called in the bundle, where that is something else."""
    homes = {name: (module.name, name) for name in module.wanted} | module.ours
    finals = {name: _final(*home, shared) for name, home in homes.items()}
    return {name: final for name, final in finals.items() if name != final}


def _final(home: str, name: str, shared: set[str]) -> str:
    if name not in shared:
        return name
    return f"_{home.rpartition('.')[2]}_{name.lstrip('_')}"


def _renamed(source: str, renames: dict[str, str]) -> str:
    if not renames:
        return source
    name = re.compile(rf"(?<![\w.])({'|'.join(map(re.escape, renames))})(?!\w)")
    lines = source.splitlines(keepends=True)
    for token in reversed(list(tokenize.generate_tokens(io.StringIO(source).readline))):
        (row, start), (last, end) = token.start, token.end
        is_text = token.type == tokenize.STRING and token.string[0] in "fF" and row == last
        if not is_text and token.string not in renames:
            continue
        line = lines[row - 1]
        if is_text:  # an f-string is one token before Python 3.12; in its braces there are names
            said = _BRACES.sub(
                lambda part: name.sub(lambda found: renames[found[0]], part[0]), token.string
            )
            lines[row - 1] = line[:start] + said + line[end:]
        elif line[start - 1 : start] != ".":
            lines[row - 1] = line[:start] + renames[token.string] + line[end:]
    return "".join(lines)


_BRACES = re.compile(r"\{[^{}]*\}")


def main() -> None:
    text = Bundle().write()
    if sys.argv[1:] == ["--check"]:
        if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text:
            raise SystemExit(f"{TARGET.name} is out of date: run scripts/bundle_verifier.py.")
        return
    TARGET.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
