"""The targets, each beside what a run came to: ratios of medians of one run."""
from . import rounds
from .tables import table


def _median(loads, name, system, figure):
    results = loads[name]["results"].get(system) if name in loads else None
    return rounds.medians(results)[figure][0] if results else None


def _raw(loads, name, system, key):
    return loads[name]["raw"].get(system, {}).get(key) if name in loads else None


def _ratio(a, b):
    return a / b if a is not None and b else None


def _of_kafka(name, figure):
    return lambda loads: _ratio(_median(loads, name, "stele", figure), _median(loads, name, "kafka", figure))


def _of_floor(name, figure):
    return lambda loads: _ratio(_median(loads, name, "stele", figure), _median(loads, name, "floor-loop", figure))


def _life(name, key):
    return lambda loads: _ratio(_raw(loads, name, "stele", key), _raw(loads, name, "kafka", key))


def _alone(name, key):
    return lambda loads: _raw(loads, name, "stele", key)


# What is measured, its bound, whether it is a least instead of a most, where it comes from, what the figure is.
TARGETS = [
    ("produce 64 KiB: CPU per GB, of Kafka's", 1 / 5, False, _of_kafka("produce-64k", "cpu_per_gb")),
    ("produce 64 KiB: CPU per GB, of floor-loop's", 1.3, False, _of_floor("produce-64k", "cpu_per_gb")),
    ("produce 16 KiB: CPU per GB, of Kafka's", 1 / 7, False, _of_kafka("produce-16k", "cpu_per_gb")),
    ("produce 16 KiB: CPU per GB, of floor-loop's", 1.3, False, _of_floor("produce-16k", "cpu_per_gb")),
    ("one-record requests per CPU-second, pipelined, of Kafka's", 8, True, _of_kafka("one-record", "requests_per_cpu_s")),
    ("one request at a time: p50, of Kafka's", 2 / 3, False, _of_kafka("one-at-a-time", "p50_us")),
    ("one request at a time: p99, of Kafka's", 2 / 3, False, _of_kafka("one-at-a-time", "p99_us")),
    ("400 connections, keyed: requests per CPU-second, of Kafka's", 8, True, _of_kafka("keyed-400", "requests_per_cpu_s")),
    ("fetch from cache, one reader: CPU per GB, of Kafka's", 2 / 3, False, _of_kafka("fetch", "cpu_per_gb")),
    ("fetch from cache, 8 readers: CPU per GB, of Kafka's", 2 / 3, False, _of_kafka("fetch-8", "cpu_per_gb")),
    ("cold catch-up: producers' p99, of that without", 1.5, False, _alone("catch-up", "ratio")),
    *((f"{share} % of Kafka's peak, {title}: {label}, of Kafka's", bound, False, _of_kafka(f"open-{share}-{size}", figure))
      for share in (50, 80) for size, title in (("16k", "16 KiB"), ("one-record", "one record"))
      for label, figure, bound in (("p99", "p99_us", 1 / 5), ("p99.9", "p999_us", 1 / 10))),
    ("synced, 64 partitions: MB/s, of Kafka's without syncing", 1, True, _of_kafka("synced-64", "mb_per_s")),
    ("start to first acknowledged record, of Kafka's", 1 / 30, False, _life("start", "first")),
    ("memory idle, of Kafka's", 1 / 15, False, _life("start", "resident")),
    ("idle CPU, % of a core", 0.2, False, _alone("start", "idle")),
    ("9,900 partitions: memory after restart, of Kafka's", 1 / 10, False, _life("partitions-9900", "resident_restarted")),
    ("9,900 partitions: restart to the first acknowledged record, of Kafka's", 1 / 20, False, _life("partitions-9900", "restart_first")),
    ("9,900 partitions: the same after kill -9, of Kafka's", 1 / 20, False, _life("partitions-9900", "killed_first")),
    ("100,000 partitions: resident after restart, MB", 1000, False, _alone("partitions-100000", "resident_restarted")),
]


def summary(loads):
    lines = []
    for title, bound, least, find in TARGETS:
        value = find(loads)
        if value is None:
            continue
        met = value >= bound if least else value <= bound
        lines.append([title, f"{'≥' if least else '≤'} {bound:.3g}", f"{value:.3g}", "yes" if met else "**no**"])
    return "" if not lines else table(["", "target", "measured", "met"], lines)
