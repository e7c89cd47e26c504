"""Rounds: each system in turn, again and again, so that what the machine does meanwhile falls on all of them alike."""
import statistics
import sys
import tempfile
import time

from . import loads, systems


def say(text):
    print(text, file=sys.stderr, flush=True)


class Rounds:
    """Systems stay up over all loads, unless a load wants settings of its own: a JVM is warm, a fresh topic for each round is cold to all."""

    def __init__(self, names, directory, rounds, long=False):
        self.names, self.rounds, self.long = names, rounds, long
        self._temporary = tempfile.TemporaryDirectory(prefix="stele-bench-", dir=directory)
        self.directory = self._temporary.name
        self._running = {}
        self._peaks = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shut_down()
        self._temporary.cleanup()

    def shut_down(self):
        for system in self._running.values():
            system.remove()
        self._running = {}

    def system(self, name, settings=None):
        if name not in self._running:
            self._running[name] = system = systems.make(name, f"{self.directory}/{name}", settings).start()
            if name == "kafka":
                self._one_round(system, ["--topic", "warm-up", *loads.JVM_WARM])
        return self._running[name]

    def run(self, load):
        """{system: [result of each round]}"""
        begun = time.monotonic()
        if load.settings:
            self.shut_down()
        running = {name: self.system(name, load.settings.get(name)) for name in self.names if name in load.systems}
        results = self._fetch_rounds(load, running) if load.kind == "fetch" else self._produce_rounds(load, running)
        if load.settings:
            self.shut_down()
        say(f"  {load.name}: {time.monotonic() - begun:.0f} s")
        return results

    def _rounds(self, load, running, once):
        results = {name: [] for name in running}
        for number in range(self.rounds):
            for name, system in running.items():
                result = once(name, system, number)
                results[name].append(result)
                say(f"  {load.name} round {number + 1} {name:14s} {summary(load, result)}")
        return results

    def _fetch_rounds(self, load, running):
        for system in running.values():
            system.load("produce", "--create", "--topic", load.name, "--bytes", load.data)
            system.load("fetch", "--topic", load.name, "--check")

        def once(_, system, __):
            return system.load("fetch", "--topic", load.name, "--bytes", load.amount * (load.long if self.long else 1), "--warm-bytes",
                               load.warm, "--readers", load.arguments["readers"])
        results = self._rounds(load, running, once)
        for system in running.values():
            system.end_round(load.name)
        return results

    def _produce_rounds(self, load, running):
        amount = load.amount * (load.long if self.long else 1)
        if load.peak_of:
            amount = round(load.share * self.peak(load.peak_of))
        for name in ("kafka", "kafka-sync"):
            if name in running:
                times = 1 if name in load.slow else load.fast
                self._one_round(running[name], ["--topic", f"{load.name}-warm", *load.produce_arguments(amount * times, load.warm)])

        def once(name, system, number):
            times = 1 if name in load.slow else load.fast
            return self._one_round(system, ["--topic", f"{load.name}-{number}", *load.produce_arguments(amount * times, load.warm)])
        results = self._rounds(load, running, once)
        if "kafka" in results:
            self._peaks[load.name] = statistics.median(r["requests"] / r["seconds"] for r in results["kafka"])
        return results

    def peak(self, name):
        """Requests a second that Kafka takes in the closed loop of that load, in this run."""
        if name not in self._peaks:
            load = loads.by_name(name)
            kafka = self.system("kafka")
            for number in range(3):
                result = self._one_round(kafka, ["--topic", f"peak-{name}-{number}", *load.produce_arguments(load.amount, load.warm)])
            self._peaks[name] = result["requests"] / result["seconds"]
            say(f"  Kafka's peak, {name}: {self._peaks[name]:.0f} requests/s")
        return self._peaks[name]

    def _one_round(self, system, arguments):
        system.begin_round()
        try:
            return system.load("produce", *arguments, *([] if system.bare else ["--create"]))
        finally:
            system.end_round(arguments[1])


def figures(result):
    """The numbers that a table shows, out of what stele_load printed."""
    cpu = max(result["cpu"], 0.005)  # half a tick: less cannot be told from nothing
    gigabytes = result["bytes"] / 1e9
    return {
        "cpu_per_gb": result["cpu"] / gigabytes,
        "machine_per_gb": (result["machine_cpu"] - result["client_cpu"]) / gigabytes,
        "mb_per_s": result["bytes"] / 1e6 / result["seconds"],
        "requests_per_cpu_s": result["requests"] / cpu,
        "requests_per_s": result["requests"] / result["seconds"],
        "p50_us": result["latency_us"]["50"],
        "p99_us": result["latency_us"]["99"],
        "p999_us": result["latency_us"]["99.9"],
        "resident_mb": result["resident"] / 1e6,
    }


def medians(results):
    """{figure: (median, smallest, largest)} of the rounds of one system."""
    rounds = [figures(result) for result in results]
    return {name: (statistics.median(values), min(values), max(values))
            for name, values in ((name, [r[name] for r in rounds]) for name in rounds[0])}


def summary(load, result):
    f = figures(result)
    if load.unit in ("gb", "rate"):
        return f"{f['cpu_per_gb']:.3f} CPU-s/GB {f['mb_per_s']:.0f} MB/s p99 {f['p99_us']:.0f} us"
    return f"{f['requests_per_cpu_s']:.0f} /CPU-s {f['requests_per_s']:.0f} /s p50 {f['p50_us']:.0f} p99 {f['p99_us']:.0f} us"
