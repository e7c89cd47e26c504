"""stele_load must not give figures for a run that was not clean: each fault here is one that it has to end on.

  python3 bench/load_test.py <build directory>"""
import json
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

BUILD = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else "build/release")
ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/peers"))
from harness import broker as peers, ports  # noqa: E402


ONE = ("--connections", "1", "--partitions", "1")


def exactly(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise ConnectionError
        data += part
    return data


def good(correlation, error=0, partition=0):
    body = struct.pack(">iih1sii", correlation, 1, 1, b"t", 1, partition) + struct.pack(">hqqqi", error, 0, -1, 0, 0)
    return struct.pack(">i", len(body)) + body


class Peer:
    """Answers the n-th Produce with answer(correlation id, n): bytes, or None to close the connection."""

    def __init__(self, answer):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._answer = answer
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        connection, _ = self._listener.accept()
        with connection:
            for number in range(1 << 30):
                try:
                    frame = exactly(connection, struct.unpack(">i", exactly(connection, 4))[0])
                except ConnectionError:
                    return
                answer = self._answer(struct.unpack_from(">i", frame, 4)[0], number)
                if answer is None:
                    return
                connection.sendall(answer)


def load(address, *arguments):
    done = subprocess.run([BUILD / "stele_load", "produce", "--bare", "--address", address, "--records", "1", *arguments], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


class LoadTest(unittest.TestCase):
    def fails(self, answer, message, *arguments):
        code, out, error = load(Peer(answer).address, *ONE, "--requests", "20", "--in-flight", "2", *arguments)
        self.assertEqual((code, out), (1, ""))
        self.assertIn(message, error)

    def test_good_answers_give_figures(self):
        code, out, error = load(Peer(lambda c, n: good(c)).address, *ONE, "--requests", "20", "--warm-requests", "5")
        self.assertEqual((code, error), (0, ""))
        self.assertEqual(json.loads(out)["requests"], 20)

    def test_an_error_code_ends_the_run(self):
        self.fails(lambda c, n: good(c, error=6 if n == 7 else 0), "error 6")

    def test_an_error_in_the_warm_up_ends_the_run(self):
        self.fails(lambda c, n: good(c, error=6 if n == 1 else 0), "error 6", "--warm-requests", "5")

    def test_answers_out_of_order_end_the_run(self):
        self.fails(lambda c, n: good(c ^ 1), "out of order")

    def test_a_closed_connection_ends_the_run(self):
        self.fails(lambda c, n: good(c) if n < 5 else None, "a connection")

    def test_a_cut_answer_ends_the_run(self):
        self.fails(lambda c, n: struct.pack(">ii", 8, c) + b"\0\0\0\1", "cut short")

    def test_the_open_loop_counts_from_the_moment_a_request_was_due(self):
        stop = threading.Event()

        def stall_once(correlation, number):
            if number == 0:
                stop.wait(0.3)
            return good(correlation)
        code, out, error = load(Peer(stall_once).address, *ONE, "--rate", "100", "--seconds", "1")
        self.assertEqual((code, error), (0, ""))
        latency = json.loads(out)["latency_us"]
        self.assertGreater(latency["90"], 30_000, "thirty requests were due while the first was not answered")


class FloorTest(unittest.TestCase):
    def test_both_floors_write_what_they_acknowledge_and_refuse_a_wrong_checksum(self):
        for floor in ("floor_threads", "floor_loop"):
            with self.subTest(floor), tempfile.TemporaryDirectory() as directory:
                port = ports.free_port()
                file = pathlib.Path(directory) / "log"
                process = subprocess.Popen([BUILD / floor, str(port), str(file)])
                try:
                    peers.wait_for(floor, lambda: self.connects(port), 10)
                    code, out, error = load(f"127.0.0.1:{port}", "--requests", "50", "--connections", "3", "--partitions", "4",
                                            "--partitions-per-request", "2")
                    self.assertEqual((code, error), (0, ""))
                    self.assertEqual(file.stat().st_size, json.loads(out)["bytes"])
                    self.assertEqual(self.answer_to_a_wrong_checksum(port), 2)
                finally:
                    process.kill()
                    process.wait()

    def connects(self, port):
        with socket.create_connection(("127.0.0.1", port)):
            return True

    def answer_to_a_wrong_checksum(self, port):
        batch = bytes(17) + struct.pack(">I", 1) + bytes(61 - 21)
        body = struct.pack(">hhihhhiih1siii", 0, 7, 9, -1, -1, -1, 1000, 1, 1, b"t", 1, 0, len(batch)) + batch
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            answer = exactly(connection, struct.unpack(">i", exactly(connection, 4))[0])
        return struct.unpack_from(">h", answer, 4 + 4 + 2 + 1 + 4 + 4)[0]


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
