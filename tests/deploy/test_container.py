"""The image. There is no engine to build it with: its steps are done as they stand, in a folder.

But for one thing: what modelkeep depends on is not installed once more, but taken from where these
tests run, into which pip has installed it by the same metadata.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import distributions, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from modelkeep import __version__
from tests.support.deploying import DEPLOY, ROOT, check_command, check_environment, ran
from tests.support.server import Server

FILE = DEPLOY / "container" / "Dockerfile"
IGNORED = DEPLOY / "container" / "Dockerfile.dockerignore"
KNOWN = {
    *("ARG", "FROM", "COPY", "RUN", "ENV", "USER", "WORKDIR"),
    *("VOLUME", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"),
}


def instructions() -> list[tuple[str, str]]:
    """Each instruction's word, and what follows it."""
    lines = [line for line in FILE.read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(w, rest) for w, _, rest in (i.partition(" ") for i in joined.splitlines() if i)]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for word, rest in instructions():
        if word == "FROM":
            found.append([])
        if found:
            found[-1].append((word, rest))
    return found


def one(word: str) -> str:
    """What the image's own stage says of something that it says once."""
    (said,) = [rest for name, rest in stages()[-1] if name == word]
    return said


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the place of the image's root, after the first stage."""
    root = tmp_path_factory.mktemp("image")
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("MODELKEEP_", "PYTHON"))
    }
    environment |= {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    for word, rest in stages()[0]:
        if word == "COPY":
            *sources, target = rest.split()
            for source in sources:
                _copy(ROOT / source, root / target.removeprefix("/"), of_many=target[-1] == "/")
        elif word == "RUN":
            # Every path that the step names lies under the folder.
            step = re.sub(r"(?<![\w.-])/(?=source|wheels|opt)", f"{root}/", rest)
            alone = {"PIP_NO_DEPS": "1"} if " install " in step else {}
            ran("sh", "-euc", step, cwd=root, env=environment | alone)
    (library,) = (root / "opt/modelkeep/lib").glob("python3*/site-packages")
    (library / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return root


def _copy(source: Path, target: Path, *, of_many: bool) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.mkdir(parents=True, exist_ok=True) if of_many else None
        shutil.copy(source, target)


def test_it_has_no_word_that_these_tests_pass_over() -> None:
    assert {word for word, _ in instructions()} <= KNOWN
    assert [word for word, _ in stages()[0]] == ["FROM", "COPY", "COPY", "RUN", "RUN"]


def test_what_it_copies_is_sent_along_and_nothing_else() -> None:
    sent = {line[1:] for line in IGNORED.read_text().splitlines() if line.startswith("!")}
    copied = {s for word, rest in stages()[0] if word == "COPY" for s in rest.split()[:-1]}
    assert sent == copied
    assert all((ROOT / source).exists() for source in sent)


def test_it_runs_as_nobody_in_particular_and_in_its_own_folder() -> None:
    user = one("USER")
    assert user == "10001:10001"
    run = one("RUN")
    assert f"--uid {user.partition(':')[0]} " in run
    environment = dict(shlex.split(pair)[0].split("=", 1) for pair in one("ENV").split())
    settings = check_environment({k: v for k, v in environment.items() if k != "PATH"})
    assert settings.auth
    assert str(settings.data_dir) == one("VOLUME") == one("WORKDIR")
    assert str(settings.data_dir) in run
    assert str(settings.port) == one("EXPOSE")
    check_command(json.loads(one("CMD")))


def test_what_its_steps_install_is_this_release_whole(image: Path) -> None:
    installed = image / "opt/modelkeep/bin"
    assert ran(installed / "modelkeep", "--version") == f"modelkeep {__version__}\n"
    assert "Usage" in ran(installed / "modelkeep-verify", "--help").replace("usage", "Usage")
    sources = {p.relative_to(ROOT / "src") for p in (ROOT / "src").rglob("*") if p.is_file()}
    packed = {s for s in sources if "__pycache__" not in s.parts}
    (library,) = (image / "opt/modelkeep/lib").glob("python3*/site-packages")
    assert {s for s in packed if not (library / s).is_file()} == set()


def test_it_says_what_it_needs_and_that_is_what_these_tests_run_on(image: Path) -> None:
    (packed,) = (image / "wheels").glob("*.whl")
    (metadata,) = distributions(path=[str(packed)])
    (extras,) = re.findall(r"\.whl\)\[(.+)\]", FILE.read_text())
    of_image = [
        needed
        for needed in map(Requirement, metadata.requires or ())
        if not needed.marker or any(needed.marker.evaluate({"extra": e}) for e in extras.split(","))
    ]
    assert {"botocore", "opentelemetry-sdk", "uvicorn"} <= {needed.name for needed in of_image}
    assert "pytest" not in {requirement.name for requirement in of_image}
    for requirement in of_image:
        assert version(requirement.name) in requirement.specifier


@pytest.fixture
def served(image: Path, tmp_path: Path) -> Iterator[Server]:
    python = image / "opt/modelkeep/bin/python"
    server = Server(tmp_path / "data", env={"PYTHONPATH": ""}, python=python)
    server.start()
    yield server
    server.kill()


def test_a_server_of_it_answers_and_its_health_is_seen(served: Server, image: Path) -> None:
    _, _, check = one("HEALTHCHECK").partition("CMD ")
    program, *arguments = json.loads(check)
    python = image / "opt/modelkeep/bin" / program
    asked = [python, *arguments]
    assert ran(*asked, env={"MODELKEEP_PORT": str(served.port)}) == ""
    served.kill()
    ended = subprocess.run(
        asked, check=False, env={"MODELKEEP_PORT": str(served.port)}, capture_output=True
    )
    assert ended.returncode == 1
