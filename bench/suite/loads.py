"""The loads that run in interleaved rounds. An amount is for the short run; the long run takes `long` times as much."""
import dataclasses

MB = 1_000_000
EVERY = ("stele", "floor-loop", "floor-threads", "kafka")
BROKERS = ("stele", "kafka")


@dataclasses.dataclass
class Load:
    name: str
    title: str
    arguments: dict
    amount: int  # bytes, or requests where by == "requests"
    warm: int  # before each measured stretch
    by: str = "bytes"
    systems: tuple = EVERY
    unit: str = "gb"  # which columns: gb, requests, latency
    long: int = 2
    fast: int = 1  # how many times the amount others than Kafka get: CPU time is counted in ticks of 10 ms
    jvm_warm: int = 1  # how many measured amounts Kafka gets before the first round
    kind: str = "produce"
    data: int = 0  # bytes written before a fetch
    quick: bool = False
    settings: dict = dataclasses.field(default_factory=dict)  # of the brokers
    target: str = ""

    def produce_arguments(self, amount, warm):
        names = {"bytes": ("--bytes", "--warm-bytes"), "requests": ("--requests", "--warm-requests")}[self.by]
        out = [names[0], amount] + ([names[1], warm] if warm else [])
        for name, value in self.arguments.items():
            out += [f"--{name}"] if value is True else [f"--{name}", value]
        return out


ONE_RECORD = {"records": 1, "record-bytes": 100}

LOADS = [
    Load("produce-64k", "Produce, 64 KiB batches of 1 KB records, 8 partitions, 4 connections, 5 in flight", {"batch-bytes": 65536},
         1200 * MB, 200 * MB, jvm_warm=2, quick=True, target="≤ 1/5 of Kafka, ≤ 1.3 × floor-loop"),
    Load("produce-16k", "The same with 16 KiB batches", {"batch-bytes": 16384},
         800 * MB, 100 * MB, jvm_warm=2, quick=True, target="≤ 1/7 of Kafka, ≤ 1.3 × floor-loop"),
    Load("one-record", "One-record requests (100 bytes), 4 connections, 20 in flight", ONE_RECORD | {"in-flight": 20},
         120_000, 20_000, by="requests", unit="requests", fast=5, jvm_warm=2, quick=True, target="≥ 8 × Kafka"),
    Load("one-at-a-time", "One-record requests, one connection, one in flight", ONE_RECORD | {"in-flight": 1, "connections": 1},
         12_000, 3_000, by="requests", unit="latency", fast=2, jvm_warm=2, quick=True, target="p50 and p99 ≤ 2/3 of Kafka"),
    Load("keyed-400", "400 connections, keyed: 8 of 64 partitions in a request, 2 records of 100 bytes for each",
         {"records": 2, "record-bytes": 100, "key-bytes": 16, "connections": 400, "in-flight": 1, "partitions": 64,
          "partitions-per-request": 8},
         60_000, 10_000, by="requests", unit="requests", fast=4, jvm_warm=2, target="≥ 8 × Kafka"),
    Load("fetch", "Fetch from the page cache, one reader, 8 partitions", {"readers": 1}, 3000 * MB, 1000 * MB, kind="fetch",
         data=1000 * MB, systems=BROKERS, quick=True, target="≤ 2/3 of Kafka"),
    Load("fetch-8", "Fetch from the page cache, 8 readers of the same data", {"readers": 8}, 4000 * MB, 1000 * MB, kind="fetch",
         data=1000 * MB, systems=BROKERS, target="≤ 2/3 of Kafka"),
    Load("produce-lz4", "Produce, 64 KiB of records in each batch, lz4", {"batch-bytes": 65536, "codec": "lz4"},
         600 * MB, 100 * MB, jvm_warm=2),
    Load("produce-zstd", "Produce, 64 KiB of records in each batch, zstd", {"batch-bytes": 65536, "codec": "zstd"},
         400 * MB, 100 * MB, jvm_warm=2),
    Load("connections-10000", "10,000 connections, one-record requests, one in flight each",
         ONE_RECORD | {"connections": 10000, "in-flight": 1}, 60_000, 10_000, by="requests", unit="requests", systems=BROKERS),
]


def by_name(name):
    return next(load for load in LOADS if load.name == name)
