"""The nginx of this machine, with the configuration of deploy/proxy before servers of the tests."""

import contextlib
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.support.deploying import DEPLOY, ran
from tests.support.ports import free_port

CONFIGURATION = DEPLOY / "proxy" / "modelkeep.conf"
START_LIMIT_S = 60.0

# What a distribution's nginx.conf is around it; nothing is written outside of the folder.
_MAIN = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/log info;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {upstream}
    include {folder}/modelkeep.conf;
}}
"""


def upstream() -> str:
    """The block that the configuration's own comment tells to write."""
    comment = CONFIGURATION.read_text().partition("\nserver {")[0]
    lines = [line.removeprefix("#").strip() for line in comment.splitlines()]
    return "\n".join(lines[lines.index("upstream modelkeep {") : lines.index("}") + 1])


@contextlib.contextmanager
def running_nginx(
    nginx: Path,
    folder: Path,
    ports: Sequence[int],
    changed: Callable[[str], str] = lambda configuration: configuration,
) -> Iterator[str]:
    """The address of an nginx before what listens on two ports."""
    folder.mkdir()
    port = free_port()
    block = upstream()
    for theirs, ours in zip((5001, 5002), ports, strict=True):
        block = block.replace(f"127.0.0.1:{theirs}", f"127.0.0.1:{ours}")
    configuration = changed(CONFIGURATION.read_text())
    configuration = re.sub(r"listen 80;", f"listen 127.0.0.1:{port};", configuration)
    (folder / "modelkeep.conf").write_text(configuration)
    main = folder / "nginx.conf"
    main.write_text(_MAIN.format(folder=folder, upstream=block))
    ran(nginx, "-t", "-q", "-c", main)
    process = subprocess.Popen([nginx, "-c", main], stdin=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(START_LIMIT_S)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "nginx did not start"
            time.sleep(0.01)
        else:
            return
