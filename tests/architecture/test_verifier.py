"""The file that auditors are given: made of what the server uses, and in need of none of it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE = ROOT / "src" / "modelkeep_verify.py"


def test_it_is_as_the_modules_make_it() -> None:
    script = ROOT / "scripts" / "bundle_verifier.py"
    ended = subprocess.run(
        [sys.executable, script, "--check"], check=False, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr


def test_it_needs_nothing_but_python_until_it_checks_a_signature(tmp_path: Path) -> None:
    alone = tmp_path / "verify.py"
    alone.write_bytes(FILE.read_bytes())
    # No site-packages, no path of ours: what it imports is Python's own.
    ended = subprocess.run(
        [sys.executable, "-I", "-S", alone, "--help"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "modelkeep-verify receipt [OPTIONS] FILE" in ended.stdout
