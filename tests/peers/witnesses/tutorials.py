"""The programs of the clients' own tutorials, as they are printed, but for the port. The consumers among them never
end: they are stopped once they have printed what their producer sent."""
import collections
import pathlib
import subprocess
import sys
import threading

from witness import Run, check, step
from harness.broker import JAVA_FLAGS, KAFKA_JARS

run = Run("tutorials")
SOURCES = pathlib.Path(__file__).resolve().parents[1] / "tutorials"
JAVA = ["java", *JAVA_FLAGS, "-Xmx128m", "-cp", f"{KAFKA_JARS}/*"]
DEADLINE = 60


def program(name):
    """The command that runs a tutorial, copied with 9092 replaced."""
    path = run.out / name
    path.write_text((SOURCES / name).read_text().replace("9092", run.address.rsplit(":", 1)[1]))
    return [*(JAVA if name.endswith(".java") else [sys.executable]), str(path)]


def to_the_end(name):
    done = subprocess.run(program(name), capture_output=True, text=True, timeout=DEADLINE)
    check(done.returncode == 0, f"{name}: exit {done.returncode}: {done.stderr[-800:]}")
    return done.stdout.splitlines()


def until_printed(name, count):
    """The first `count` lines that a program without an end prints."""
    process = subprocess.Popen(program(name), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    alarm = threading.Timer(DEADLINE, process.kill)
    alarm.start()
    errors = collections.deque(maxlen=20)
    reader = threading.Thread(target=lambda: errors.extend(process.stderr), daemon=True)
    reader.start()
    lines = [line for _, line in zip(range(count), process.stdout)]
    alarm.cancel()
    process.kill()
    process.wait()
    check(len(lines) == count, f"{name}: {len(lines)} of {count} lines: {''.join(errors)[-800:]}")
    return [line.rstrip("\n") for line in lines]


step("kafka-python")
to_the_end("kafka_python_produce.py")
lines = until_printed("kafka_python_consume.py", 100)
check(all(line.startswith("ConsumerRecord(topic='test_topic'") and "some_message_bytes" in line for line in lines),
      lines[0])

step("confluent-kafka")
lines = to_the_end("confluent_produce.py")
check(lines == ["Message delivered to mytopic [0]"] * 3, lines)
lines = until_printed("confluent_consume.py", 3)
check(lines == [f"Received message: {n} line" for n in ("first", "second", "third")], lines)

step("Java")
to_the_end("Produce.java")
lines = until_printed("Consume.java", 100)
check(lines == [f"offset = {i}, key = {i}, value = {i}" for i in range(100)], lines)
