"""What the witnesses written in Python share. A witness is called with the broker's address, the corpus, and a folder
for what it read back; it exits with 0, or dies with the reason as its last line."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from harness import broker, corpus, wire  # noqa: E402

PARTITIONS = corpus.PARTITIONS


class Run:
    def __init__(self, name):
        self.name = name
        self.address, corpus_path, out, seeds = sys.argv[1:5]
        self.seeds = [f"seed-{codec}" for codec in seeds.split(",") if codec]
        self.out = pathlib.Path(out)
        self.records = corpus.read(corpus_path)

    def dump(self, name, rows):
        """Hands over rows read back; the runner compares every dump with the corpus."""
        corpus.write(self.out / f"{name}.jsonl", rows)

    def wait_served(self, topic, partitions):
        broker.wait_for(f"{topic} is served", lambda: wire.served(self.address, topic, partitions), 20)

    def topic(self, suffix):
        return f"{self.name}-{suffix}"


def row(partition, offset, key, value, headers, timestamp):
    return {"partition": partition, "offset": offset, "key": key, "value": value,
            "headers": list(headers or []), "timestamp": timestamp}


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")


def step(what):
    print(f"- {what}", flush=True)


def until(what, condition, seconds=30):
    """Calls condition() until it is truthy and returns its value. What it calls waits by itself (a poll of a client)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
    sys.exit(f"FAILED: {what}: not within {seconds} s")
