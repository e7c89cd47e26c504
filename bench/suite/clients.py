"""The loads that users run themselves: Kafka's performance tools, and librdkafka through kcat."""
import re
import resource
import statistics
import subprocess
import time

from . import systems
from .lives import _cpu
from .systems import LoadError, peers

RECORDS = 1_000_000
BYTES = 1000


def _tool(*arguments):
    command = ["java", "-Xmx512M", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-cp", f"{peers.KAFKA_JARS}/*", *map(str, arguments)]
    return _run(command)


def _run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, **options)
    if done.returncode:
        raise LoadError(f"{' '.join(map(str, command[:1]))} ... failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def _produce(system, topic):
    out = _tool("org.apache.kafka.tools.ProducerPerformance", "--topic", topic, "--num-records", RECORDS, "--record-size", BYTES,
                "--throughput", -1, "--command-property", f"bootstrap.servers={system.address}")
    found = re.findall(r"([\d.]+) records/sec \(([\d.]+) MB/sec\), ([\d.]+) ms avg latency, ([\d.]+) ms max.*?(\d+) ms 50th,"
                       r" (\d+) ms 95th, (\d+) ms 99th, (\d+) ms 99.9th", out)
    if not found:
        raise LoadError("kafka-producer-perf-test printed no summary:\n" + out[-1000:])
    return {"records_per_s": float(found[-1][0]), "p50_ms": float(found[-1][4]), "p99_ms": float(found[-1][6])}


def _consume(system, topic):
    out = _tool("org.apache.kafka.tools.ConsumerPerformance", "--topic", topic, "--num-records", RECORDS,
                "--bootstrap-server", system.address, "--timeout", 60000)
    line = [part.strip() for part in out.strip().splitlines()[-1].split(",")]
    if int(line[4]) < RECORDS:
        raise LoadError(f"{line[4]} of {RECORDS} records came")
    return {"records_per_s": float(line[9]) if len(line) > 9 else float(line[5])}


def _kcat_produce(system, topic, file):
    begun = time.monotonic()
    _run(["kcat", "-P", "-b", system.address, "-t", topic, "-l", str(file), "-X", "acks=all", "-X", "linger.ms=5"])
    return {"records_per_s": RECORDS / (time.monotonic() - begun)}


def _kcat_consume(system, topic, _):
    begun = time.monotonic()
    with subprocess.Popen(["kcat", "-C", "-b", system.address, "-t", topic, "-o", "beginning", "-e", "-q", "-D", "\\n"],
                          stdout=subprocess.PIPE) as process:
        count = sum(chunk.count(b"\n") for chunk in iter(lambda: process.stdout.read(1 << 20), b""))
    if count < RECORDS:
        raise LoadError(f"kcat read {count} of {RECORDS} records")
    return {"records_per_s": RECORDS / (time.monotonic() - begun)}


STEPS = (("kafka-producer-perf-test", lambda s, t, f: _produce(s, t), "java"), ("kafka-consumer-perf-test", lambda s, t, f: _consume(s, t), "java"),
         ("kcat -P (librdkafka)", _kcat_produce, "kcat"), ("kcat -C (librdkafka)", _kcat_consume, "kcat"))


def measure(names, directory, say, rounds):
    """(head, lines, raw)."""
    file = f"{directory}/lines"
    with open(file, "w", encoding="ascii") as out:
        for i in range(RECORDS):
            out.write(f"{i:08d} ".ljust(BYTES - 1, "x") + "\n")
    running = {name: systems.make(name, f"{directory}/client-{name}").start() for name in names if name in ("stele", "kafka")}
    raw = {name: {step[0]: [] for step in STEPS} for name in running}
    try:
        for number in range(rounds + 1):  # the first warms
            for name, system in running.items():
                for step, run, kind in STEPS:
                    topic = f"{kind}-{number}"
                    if step.endswith("producer-perf-test") or " -P" in step:
                        system.load("create", "--topic", topic, "--partitions", 8)
                    before, client = _cpu(system.pid), resource.getrusage(resource.RUSAGE_CHILDREN)
                    found = run(system, topic, file)
                    after = resource.getrusage(resource.RUSAGE_CHILDREN)
                    found["cpu_per_gb"] = (_cpu(system.pid) - before) / (RECORDS * BYTES / 1e9)
                    found["client_cpu"] = after.ru_utime + after.ru_stime - client.ru_utime - client.ru_stime
                    if number:
                        raw[name][step].append(found)
                    say(f"  {step} {number} {name}: " + ", ".join(f"{k} {v:.4g}" for k, v in found.items()))
                for kind in ("java", "kcat"):
                    system.end_round(f"{kind}-{number}")
    finally:
        for system in running.values():
            system.remove()
    return (*_table(raw), raw)


def _table(raw):
    head = ["", *(f"{name}: {what}" for name in raw for what in ("records/s", "p99 ms", "broker CPU-s/GB"))]
    lines = []
    for step, _, __ in STEPS:
        line = [step]
        for name in raw:
            rounds = raw[name][step]
            for key, form in (("records_per_s", "{:,.0f}"), ("p99_ms", "{:.0f}"), ("cpu_per_gb", "{:.2f}")):
                line.append(form.format(statistics.median(r[key] for r in rounds)) if key in rounds[0] else "–")
        lines.append(line)
    return head, lines
