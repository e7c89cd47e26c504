"""Rounds: each system in turn, again and again, so that what the machine does meanwhile falls on all of them alike."""
import statistics
import sys
import tempfile
import time

from . import systems


def say(text):
    print(text, file=sys.stderr, flush=True)


class Rounds:
    """Systems stay up over all loads, unless a load wants settings of its own: a JVM is warm, a fresh topic for each round is cold to all."""

    def __init__(self, names, directory, rounds, long=False):
        self.names, self.rounds, self.long = names, rounds, long
        self._temporary = tempfile.TemporaryDirectory(prefix="stele-bench-", dir=directory)
        self.directory = self._temporary.name
        self._running = {}

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
            self._running[name] = systems.make(name, f"{self.directory}/{name}", settings).start()
        return self._running[name]

    def run(self, load):
        """{system: [result of each round]}"""
        names = [name for name in self.names if name in load.systems]
        amount = load.amount * (load.long if self.long else 1)
        if load.settings:
            self.shut_down()
        running = {name: self.system(name, load.settings.get(name.split("-")[0])) for name in names}
        results = {name: [] for name in names}
        begun = time.monotonic()
        for name, system in running.items():
            if load.kind == "fetch":
                system.load("produce", "--create", "--topic", load.name, "--bytes", load.data)
                system.load("fetch", "--topic", load.name, "--check")
            elif name.startswith("kafka"):
                self._produce(system, load, f"{load.name}-warm", load.jvm_warm * load.amount)
        for number in range(self.rounds):
            for name, system in running.items():
                if load.kind == "fetch":
                    result = system.load("fetch", "--topic", load.name, "--bytes", amount, "--warm-bytes", load.warm,
                                         "--readers", load.arguments["readers"])
                else:
                    times = 1 if name.startswith("kafka") else load.fast
                    result = self._produce(system, load, f"{load.name}-{number}", amount * times)
                results[name].append(result)
                say(f"  {load.name} round {number + 1} {name:14s} {summary(load, result)}")
        if load.kind == "fetch":
            for system in running.values():
                system.end_round(load.name)
        if load.settings:
            self.shut_down()
        say(f"  {load.name}: {time.monotonic() - begun:.0f} s")
        return results

    def _produce(self, system, load, topic, amount):
        system.begin_round()
        try:
            arguments = load.produce_arguments(amount, load.warm)
            if not system.bare:
                arguments += ["--create"]
            return system.load("produce", "--topic", topic, *arguments)
        finally:
            system.end_round(topic)


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
    if load.unit == "gb":
        return f"{f['cpu_per_gb']:.3f} CPU-s/GB {f['mb_per_s']:.0f} MB/s p99 {f['p99_us']:.0f} us"
    return f"{f['requests_per_cpu_s']:.0f} /CPU-s {f['requests_per_s']:.0f} /s p50 {f['p50_us']:.0f} p99 {f['p99_us']:.0f} us"
