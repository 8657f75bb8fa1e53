"""A witness of journals: a small process for another machine, better of another person.

It cosigns each checkpoint that continues what it has seen, and refuses all others, so that a
history that was rewritten or rewound cannot be shown to anybody who asks for its cosignature.
`POST /add-checkpoint` is C2SP's (tlog-witness).
"""

import logging
import socket
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Any

import typer

from modelkeep.cli.client import USAGE, fail, plain

BODY_LIMIT_BYTES = 1 << 19
READ_S = 10.0
PASSED_OVER_BYTES, PASSED_OVER_S = 1 << 24, 1.0  # of a body that is too long; between two pieces

_log = logging.getLogger(__name__)

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Cosign the checkpoints of journals, for whoever does not trust one machine alone.",
)

Name = Annotated[str, typer.Option(help="The witness's name, as in witness.example/w1.")]
KeyPath = Annotated[Path, typer.Option("--key", help="Its Ed25519 key; made if it is not there.")]


@app.command()
def serve(
    vkey: Annotated[list[str], typer.Option(help="The key of a journal; may be repeated.")],
    key: KeyPath,
    state: Annotated[Path, typer.Option(help="The folder where it keeps what it has seen.")],
    name: Name,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 7070,
) -> None:
    """Run a witness. It prints its own key, which verifiers and the journal's server need.

    \b
    modelkeep witness serve --name witness.example/w1 --key w1.key --state ./w1 \\
        --vkey "$JOURNAL_KEY"
    """
    from modelkeep.domain.errors import ModelkeepError
    from modelkeep.domain.notes import PublicKey, check_name
    from modelkeep.operations import open_witness
    from modelkeep.telemetry import logs

    logs.configure("info")
    try:
        book = open_witness(check_name(name), key, state, [PublicKey.parse(text) for text in vkey])
        server = ThreadingHTTPServer((host, port), _handler(book))
    except (ModelkeepError, OSError) as error:
        fail(f"modelkeep witness: {error}", USAGE, "wrong_usage")
    print(plain(book.key.vkey), flush=True)
    _log.info("the witness %s listens on %s:%d", name, host, server.server_port)
    with server:
        server.serve_forever()


def _handler(book: Any) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = READ_S

        def do_POST(self) -> None:
            length = self.headers.get("content-length", "")
            if self.path != "/add-checkpoint":
                self._answer(404, "There is only POST /add-checkpoint here.\n")
            elif not length.isascii() or not length.isdigit() or int(length) > BODY_LIMIT_BYTES:
                self.close_connection = True
                self._answer(413, f"A submission has at most {BODY_LIMIT_BYTES} bytes.\n")
                self._pass_over()
            else:
                source = self.rfile.read(int(length)).decode(errors="replace")
                answer = book.add_checkpoint(source, int(time.time()))
                self._answer(answer.status, answer.body, answer.type)

        def _answer(self, status: int, body: str, kind: str = "text/plain; charset=utf-8") -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def _pass_over(self) -> None:
            """Reads on for a while: who still sends when the connection is closed is cut off, and
            may never read the answer."""
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_WR)
                self.connection.settimeout(PASSED_OVER_S)
                left = PASSED_OVER_BYTES
                while left > 0 and (piece := self.rfile.read1(left)):
                    left -= len(piece)

        def log_message(self, format: str, *args: Any) -> None:
            _log.info("%s %s", self.address_string(), plain(format % args))

    return Handler
