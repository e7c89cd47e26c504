"""What is measured over a broker's life instead of in rounds: starts, idleness, many partitions, many connections."""
import os
import statistics
import time



from . import systems
from .systems import LoadError, wire


def _first_acknowledgement(system, topic, since):
    """Seconds from `since` until a record to partition 0 of an existing topic is acknowledged."""
    result = system.load("first", "--topic", topic, "--records", 1, "--record-bytes", 100, "--partitions", 1)
    return (result["at_ns"] - since) / 1e9


def _all_serve(system, topics, since, seconds=900):
    """Seconds from `since` until every partition of every topic answers. To ask is work for the broker: with many partitions it is asked rarely."""
    pause = min(1.0, max(0.02, sum(topics.values()) / 20_000))
    deadline = time.monotonic() + seconds
    left = dict(topics)
    while left:
        name, partitions = next(iter(left.items()))
        try:
            if wire.served(system.address, name, partitions):
                del left[name]
                continue
        except (OSError, wire.WireError):
            pass
        if time.monotonic() > deadline:
            raise LoadError(f"{system.name}: {name} does not answer in time")
        time.sleep(pause)
    return (time.monotonic_ns() - since) / 1e9


def _cpu(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _lines(found, rows):
    """One line a figure, one column a system, the ratio of Stele to Kafka last."""
    names = list(found)
    lines = []
    for key, title, form in rows:
        values = [found[name].get(key) for name in names]
        line = [title] + ["–" if value is None else form.format(value) for value in values]
        if "stele" in found and "kafka" in found:
            stele, kafka = found["stele"].get(key), found["kafka"].get(key)
            line.append("–" if stele is None or not kafka else f"{stele / kafka:.4f}".rstrip("0"))
        lines.append(line)
    return ["", *names] + (["stele / kafka"] if "stele" in found and "kafka" in found else []), lines


class Lives:
    """Each method measures one thing on one new system after another and returns (head, lines, raw)."""

    def __init__(self, names, directory, say, long=False, minutes=60, before=None):
        self.names, self.directory, self.say, self.long = [n for n in names if n in ("stele", "kafka")], directory, say, long
        self.minutes = minutes
        self._before = before or {}  # what an earlier run has measured of other systems

    def _new(self, name, settings=None):
        return systems.make(name, f"{self.directory}/life-{name}", settings)

    def _each(self, measure, rows, names=None, settings=None):
        found = dict(self._before)
        for name in names or self.names:
            system = self._new(name, settings)
            try:
                found[name] = measure(system.start())
                self.say(f"  {name}: " + ", ".join(f"{k} {v:.4g}" for k, v in found[name].items() if isinstance(v, (int, float))))
            finally:
                system.remove()
        found = {name: found[name] for name in ("stele", "kafka") if name in found}
        return (*_lines(found, rows), found)

    def start(self):
        """Start to first acknowledged record, idle memory, idle CPU."""
        def measure(system):
            system.load("create", "--topic", "start", "--partitions", 1)
            first, serving = [], []
            for _ in range(9 if self.long else 5):
                _first_acknowledgement(system, "start", 0)
                system.stop()
                since = time.monotonic_ns()
                system.broker.launch()
                first.append(_first_acknowledgement(system, "start", since))
                serving.append(_all_serve(system, {"start": 1}, since))
            seconds = 60 if self.long else 20
            pause_until(time.monotonic() + 5)
            before, at = _cpu(system.pid), time.monotonic()
            pause_until(at + seconds)
            idle = (_cpu(system.pid) - before) / (time.monotonic() - at)
            return {"first": statistics.median(first), "slowest": max(first), "resident": system.resident() / 1e6, "idle": idle * 100}
        return self._each(measure, [("first", "start to first acknowledged record, median, s", "{:.3f}"),
                                    ("slowest", "the slowest of them, s", "{:.3f}"),
                                    ("resident", "resident when idle, MB", "{:.1f}"),
                                    ("idle", "CPU when idle, % of a core", "{:.2f}")])

    def _partitions(self, sizes):
        topics = {f"many-{i}": size for i, size in enumerate(sizes)}

        def again(system, since, key):
            first = _first_acknowledgement(system, "many-0", since)
            return {f"{key}_first": first, f"{key}_all": _all_serve(system, topics, since)}

        def measure(system):
            empty = system.resident() / 1e6
            begun = time.monotonic_ns()
            for name, partitions in topics.items():
                system.load("create", "--topic", name, "--partitions", partitions, timeout=900)
            out = {"empty": empty, "created": _all_serve(system, topics, begun), "resident_created": system.resident() / 1e6}
            for name, partitions in topics.items():  # one record in each partition
                system.load("produce", "--topic", name, "--partitions", partitions, "--requests", partitions, "--records", 1,
                            "--record-bytes", 100, timeout=900)
            out["resident_used"] = system.resident() / 1e6
            begun = time.monotonic()
            system.stop()
            out["stop"] = time.monotonic() - begun
            since = time.monotonic_ns()
            system.broker.launch()
            out |= again(system, since, "restart")
            out["resident_restarted"] = system.resident() / 1e6
            system.kill()
            since = time.monotonic_ns()
            system.broker.launch()
            out |= again(system, since, "killed")
            out["resident_killed"] = system.resident() / 1e6
            return out
        rows = [("created", "creation until all serve, s", "{:.2f}"), ("empty", "resident before, MB", "{:.0f}"),
                ("resident_created", "resident after creation, MB", "{:.0f}"),
                ("resident_used", "resident with a record in each, MB", "{:.0f}"), ("stop", "clean stop, s", "{:.2f}"),
                ("restart_first", "restart to the first acknowledged record, s", "{:.2f}"),
                ("restart_all", "restart until all serve, s", "{:.2f}"),
                ("resident_restarted", "resident after the restart, MB", "{:.0f}"),
                ("killed_first", "restart after kill -9 to the first acknowledged record, s", "{:.2f}"),
                ("killed_all", "the same until all serve, s", "{:.2f}"),
                ("resident_killed", "resident after that, MB", "{:.0f}")]
        return measure, rows

    def partitions_9900(self):
        """9,900 partitions of one topic (Apache Kafka refuses 10,000 in one request)."""
        return self._each(*self._partitions([9900]))

    def partitions_100000(self):
        """100,000 partitions on one broker, Stele alone: Apache Kafka does not start with them in its default heap."""
        return self._each(*self._partitions([9900] * 10 + [1000]), names=[n for n in self.names if n == "stele"])

    def connections(self):
        """10,000 connections that say nothing."""
        def measure(system):
            found = system.load("idle", "--connections", 10_000, "--seconds", 20 if self.long else 10)
            return {"each": (found["resident"] - found["resident_before"]) / 10_000 / 1024,
                    "idle": 100 * found["cpu"] / found["seconds"]}
        return self._each(measure, [("each", "memory of a connection, KiB", "{:.2f}"),
                                    ("idle", "CPU meanwhile, % of a core", "{:.2f}")])

    def soak(self):
        """Steady load while retention deletes, in slices of a minute (`--minutes`, 60 of them by default)."""
        rate = 3000  # 16 KiB batches: some 50 MB/s

        def measure(system):
            system.load("create", "--topic", "soak", "--partitions", 8, "--config", "retention.bytes=268435456", "--config",
                        "segment.bytes=67108864")
            slices, disk = [], 0
            for minute in range(self.minutes):
                tail = system.begin_load("fetch", "--topic", "soak", "--tail", "--seconds", 61)
                slices.append(system.load("produce", "--topic", "soak", "--batch-bytes", 16384, "--rate", rate, "--seconds", 60))
                systems.finish_load(tail, system.name)
                disk = max(disk, system.data_bytes())
                latency = slices[-1]["latency_us"]
                self.say(f"  {system.name} minute {minute + 1}: p99 {latency['99']:.0f} us p99.9 {latency['99.9']:.0f} us "
                         f"resident {slices[-1]['resident'] >> 20} MiB disk {disk >> 20} MiB")
            def over(some, *keys):
                return statistics.median(s[keys[0]] if len(keys) == 1 else s[keys[0]][keys[1]] for s in some)
            tenth = max(1, len(slices) // 10)
            return {"p50": over(slices, "latency_us", "50"), "p99": over(slices, "latency_us", "99"),
                    "p999": over(slices, "latency_us", "99.9"), "worst": max(s["latency_us"]["99.9"] for s in slices),
                    "cpu_first": over(slices[:tenth], "cpu"), "cpu_last": over(slices[-tenth:], "cpu"),
                    "resident_first": over(slices[:tenth], "resident") / 1e6, "resident_last": over(slices[-tenth:], "resident") / 1e6,
                    "disk": disk / 1e6, "minutes": len(slices)}
        return self._each(measure, [("minutes", "minutes", "{:.0f}"), ("p50", "p50 µs, median of the minutes", "{:,.0f}"),
                                    ("p99", "p99 µs", "{:,.0f}"), ("p999", "p99.9 µs", "{:,.0f}"),
                                    ("worst", "p99.9 µs of the worst minute", "{:,.0f}"),
                                    ("cpu_first", "CPU-s a minute, first tenth", "{:.1f}"), ("cpu_last", "last tenth", "{:.1f}"),
                                    ("resident_first", "resident MB, first tenth", "{:.0f}"), ("resident_last", "last tenth", "{:.0f}"),
                                    ("disk", "largest size on disk, MB (retention allows 2,147 and a segment each)", "{:,.0f}")],
                          settings={"log.retention.check.interval.ms": "30000"})

    def catch_up(self):
        """A reader of cold data beside a live tail: producers' latency without and with it."""
        cold_bytes = 3_000_000_000
        rate, seconds = 6000, 8  # 16 KiB batches: some 100 MB/s

        def live(system, beside=None):
            system.load("create", "--topic", "live", "--partitions", 8)
            tail = system.begin_load("fetch", "--topic", "live", "--tail", "--seconds", seconds + 2)
            reader = system.begin_load("fetch", "--topic", "cold") if beside else None
            found = system.load("produce", "--topic", "live", "--batch-bytes", 16384, "--rate", rate, "--seconds", seconds, "--warm-requests", 500)
            read = systems.finish_load(reader, system.name) if reader else None
            systems.finish_load(tail, system.name)
            system.end_round("live")
            return found, read

        def measure(system):
            system.load("produce", "--create", "--topic", "cold", "--batch-bytes", 65536, "--bytes", cold_bytes, timeout=300)
            os.sync()
            live(system)  # warms
            ratios, out = [], []
            for _ in range(3):
                drop_from_cache(system.directory, "cold")
                without, _ = live(system)
                with_reader, read = live(system, beside=True)
                out.append((without["latency_us"]["99"], with_reader["latency_us"]["99"], without["latency_us"]["99.9"],
                            with_reader["latency_us"]["99.9"], read["bytes"] / 1e6 / read["seconds"], read["seconds"],
                            *(r["cpu"] / r["seconds"] for r in (without, with_reader)),
                            *(r["machine_cpu"] / r["seconds"] for r in (without, with_reader))))
                ratios.append(out[-1][1] / out[-1][0])
            keys = ("p99_without", "p99_with", "p999_without", "p999_with", "mb_per_s", "read_seconds", "cpu_without", "cpu_with",
                    "machine_without", "machine_with")
            return {key: statistics.median(column) for key, column in zip(keys, zip(*out))} | {"ratio": statistics.median(ratios)}
        return self._each(measure, [("p99_without", "producers' p99 without the reader, µs", "{:,.0f}"),
                                    ("p99_with", "p99 beside it, µs", "{:,.0f}"), ("ratio", "beside / without", "{:.2f}"),
                                    ("p999_without", "p99.9 without, µs", "{:,.0f}"), ("p999_with", "p99.9 beside it, µs", "{:,.0f}"),
                                    ("mb_per_s", "the reader's MB/s", "{:.0f}"), ("read_seconds", "its time for 3 GB, s", "{:.1f}"),
                                    ("cpu_without", "broker, cores busy without", "{:.2f}"), ("cpu_with", "beside it", "{:.2f}"),
                                    ("machine_without", "whole machine, cores busy without", "{:.2f}"),
                                    ("machine_with", "beside it", "{:.2f}")])


def pause_until(moment):
    while time.monotonic() < moment:
        time.sleep(min(0.1, max(0.0, moment - time.monotonic())))


def drop_from_cache(directory, topic):
    """What is on disk already leaves the page cache: readers find it cold."""
    for path in directory.glob(f"data*/{topic}-*/*.log"):
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


# Not among --all: it takes its minutes for each system.
SOAK = {"soak": "Steady load (50 MB/s of 16 KiB batches and a tail) while retention deletes"}
LIVES = {"start": "Starts and idleness", "partitions-9900": "9,900 partitions", "partitions-100000": "100,000 partitions",
         "connections": "10,000 idle connections", "catch-up": "Cold catch-up beside a live tail (100 MB/s of 16 KiB batches)"}
TARGETS = {"start": "first record ≤ 1/30, memory ≤ 1/15, idle CPU < 0.2 % of a core",
           "partitions-9900": "memory after restart ≤ 1/10, restart and restart after kill -9 ≤ 1/20",
           "partitions-100000": "starts, serves, under 1 GB", "connections": "under 20 KiB each",
           "catch-up": "p99 ≤ 1.5 × without"}
