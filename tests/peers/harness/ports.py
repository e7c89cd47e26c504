"""Free TCP ports outside the range from which Linux takes the ports of outgoing connections."""
import os
import random
import socket

FIRST, LAST = 21000, 21999


def free_port():
    """A port that nothing listens on now. Two callers in one process never get the same one."""
    candidates = [p for p in range(FIRST, LAST + 1) if p not in _given]
    random.Random(os.urandom(8)).shuffle(candidates)
    for port in candidates:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise RuntimeError(f"no free port between {FIRST} and {LAST}")


_given = set()
