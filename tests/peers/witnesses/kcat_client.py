"""kcat: produce with keys, headers and each codec, consume, group, metadata, offsets by time.

kcat writes lines, so this witness has records of its own: text, one topic a codec. Its JSON output is compared in full."""
import json
import subprocess
import uuid

from witness import Run, check, step
from harness import corpus

run = Run("kcat")
TOO_SLOW = 60


def kcat(*arguments, feed=None):
    done = subprocess.run(["kcat", "-b", run.address, "-X", "message.max.bytes=1048588", *arguments], input=feed,
                          capture_output=True, timeout=TOO_SLOW)
    check(done.returncode == 0, f"kcat {' '.join(arguments)}: exit {done.returncode}: {done.stderr.decode()[-500:]}")
    return done.stdout


def consume(topic, *arguments):
    return [json.loads(line) for line in kcat("-C", "-t", topic, "-J", "-q", *arguments).splitlines()]


def compare(topic, want):
    got = [(m["key"], m["payload"], m.get("headers", [])) for m in consume(topic, "-o", "beginning", "-e", "-p", "0")]
    check(got == want, f"{topic}: read back {got[:3]}…, wrote {want[:3]}…")


def codecs():
    lines = [line.decode() for line in corpus.text_lines()[:300] if b"\t" not in line and line.isascii()]
    pairs = [(f"key-{i}", line) for i, line in enumerate(lines)]
    pairs[5], pairs[6] = ("empty-value", ""), ("", "empty key")
    feed = "".join(f"{key}\t{value}\n" for key, value in pairs).encode()
    for codec in corpus.CODECS:
        step(f"codec {codec}")
        topic = run.topic(codec)
        produce = ["-P", "-t", topic, "-p", "0", "-K", "\t", "-z", codec]
        kcat(*produce, "-H", "source=licenses", "-H", "codec=" + codec, feed=feed)
        kcat(*produce, "-Z", feed=b"deleted\t\n")
        headers = ["source", "licenses", "codec", codec]
        compare(topic, [(key, value, headers) for key, value in pairs] + [("deleted", None, [])])


def large():
    step("a value near 1 MiB")
    topic, text = run.topic("large"), b"\n".join(corpus.text_lines())
    text = (text * (corpus.BIG_VALUE // len(text) + 1))[:corpus.BIG_VALUE]
    path = run.out / "large.txt"
    path.write_bytes(text)
    kcat("-P", "-t", topic, "-p", "0", "-z", "none", str(path))
    check(kcat("-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q", "-D", "") == text, "the large value differs")


def group():
    step("group")
    topic = run.topic("none")
    total = len(consume(topic, "-o", "beginning", "-e"))
    arguments = ["-G", f"kcat-group-{uuid.uuid4()}", "-X", "auto.offset.reset=earliest", "-f", "%o\n", "-q"]
    first = kcat(*arguments, "-c", "100", topic).split()
    second = kcat(*arguments, "-c", str(total - 100), topic).split()
    check([int(o) for o in first + second] == list(range(total)), f"the group resumed at {second[:1]}")


def listings():
    step("metadata")
    listing = json.loads(kcat("-L", "-J"))
    check(run.address in [broker["name"] for broker in listing["brokers"]], f"brokers {listing['brokers']}")
    topics = {topic["topic"]: topic for topic in listing["topics"]}
    partition = topics[run.topic("gzip")]["partitions"][0]
    check(partition["leader"] == listing["brokers"][0]["id"] and len(partition["isrs"]) == 1, f"partition {partition}")

    step("offsets by time")
    topic = run.topic("none")
    message = consume(topic, "-o", "beginning", "-e")[150]
    found = kcat("-Q", "-t", f"{topic}:0:{message['ts']}").decode()
    offset = int(found.split("offset")[-1])
    check(offset <= 150, f"-Q answered {found}")
    times = {m["offset"]: m["ts"] for m in consume(topic, "-o", "beginning", "-e")}
    check(times[offset] >= message["ts"] and all(times[o] < message["ts"] for o in range(offset)), f"-Q answered {found}")


codecs()
large()
group()
listings()
