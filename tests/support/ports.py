"""Free ports of the loopback."""

import socket


def free_port() -> int:
    """A port that nothing listens on now; whoever asks binds it soon, or may lose it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
