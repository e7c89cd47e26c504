"""The loads that run in interleaved rounds. An amount is for the short run; the long run takes `long` times as much."""
import dataclasses

MB = 1_000_000
ALL_SYSTEMS = ("stele", "stele-files", "floor-loop", "floor-threads", "kafka", "kafka-sync")
EVERY = ("stele", "floor-loop", "floor-threads", "kafka")
BROKERS = ("stele", "kafka")


# A JVM's figures settle after some 4 GB: this much it gets once it is started, and each load once more before the first round.
JVM_WARM = ["--bytes", 4000 * MB, "--batch-bytes", 65536]


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
    peak_of: str = ""  # open loop: the load whose peak on Kafka, in this run, is the measure
    share: float = 0  # of that peak
    seconds: int = 4  # of the open loop
    long: int = 2
    fast: int = 1  # how many times the amount those get that are not in `slow`: CPU time is counted in ticks of 10 ms
    slow: tuple = ("kafka",)
    kind: str = "produce"
    data: int = 0  # bytes written before a fetch
    quick: bool = False
    settings: dict = dataclasses.field(default_factory=dict)  # {system: options}: systems are started for this load alone
    target: str = ""
    apart: bool = False  # answers a question of its own: not part of --all

    def produce_arguments(self, amount, warm):
        if self.peak_of:
            names = ["--rate", amount, "--seconds", self.seconds, "--warm-seconds", 1, "--warm-requests", warm]
            return names + self.flags()
        names = {"bytes": ("--bytes", "--warm-bytes"), "requests": ("--requests", "--warm-requests")}[self.by]
        return [names[0], amount] + ([names[1], warm] if warm else []) + self.flags()

    def flags(self):
        return [part for name, value in self.arguments.items() for part in (f"--{name}", value)]


ONE_RECORD = {"records": 1, "record-bytes": 100}

LOADS = [
    Load("produce-64k", "Produce, 64 KiB batches of 1 KB records, 8 partitions, 4 connections, 5 in flight", {"batch-bytes": 65536},
         800 * MB, 200 * MB, long=3, quick=True, target="≤ 1/5 of Kafka, ≤ 1.3 × floor-loop"),
    Load("produce-16k", "The same with 16 KiB batches", {"batch-bytes": 16384},
         500 * MB, 100 * MB, long=3, quick=True, target="≤ 1/7 of Kafka, ≤ 1.3 × floor-loop"),
    Load("one-record", "One-record requests (100 bytes), 4 connections, 20 in flight", ONE_RECORD | {"in-flight": 20},
         60_000, 10_000, by="requests", unit="requests", fast=10, long=3, quick=True, target="≥ 8 × Kafka"),
    Load("one-at-a-time", "One-record requests, one connection, one in flight", ONE_RECORD | {"in-flight": 1, "connections": 1},
         12_000, 2_000, by="requests", unit="latency", fast=3, long=4, quick=True, target="p50 and p99 ≤ 2/3 of Kafka"),
    Load("keyed-400", "400 connections, keyed: 8 of 64 partitions in a request, 2 records of 100 bytes for each",
         {"records": 2, "record-bytes": 100, "key-bytes": 16, "connections": 400, "in-flight": 1, "partitions": 64,
          "partitions-per-request": 8},
         60_000, 10_000, by="requests", unit="requests", fast=4, target="≥ 8 × Kafka"),
    Load("fetch", "Fetch from the page cache, one reader, 8 partitions", {"readers": 1}, 2000 * MB, 500 * MB, long=3, kind="fetch",
         data=1000 * MB, systems=BROKERS, quick=True, target="≤ 2/3 of Kafka"),
    Load("fetch-8", "Fetch from the page cache, 8 readers of the same data", {"readers": 8}, 4000 * MB, 1000 * MB, kind="fetch",
         data=1000 * MB, systems=BROKERS, target="≤ 2/3 of Kafka"),
    Load("produce-lz4", "Produce, 64 KiB of records in each batch, lz4", {"batch-bytes": 65536, "codec": "lz4"},
         600 * MB, 100 * MB),
    Load("produce-zstd", "Produce, 64 KiB of records in each batch, zstd", {"batch-bytes": 65536, "codec": "zstd"},
         400 * MB, 100 * MB),
    *(Load(f"open-{share}-{size}", f"{title}, open loop at {share} % of Kafka's peak", arguments, 0, warm, by="rate", unit="latency",
           peak_of=peak, share=share / 100, systems=BROKERS, long=3, target="p99 ≤ 1/5, p99.9 ≤ 1/10 of Kafka")
      for share in (50, 80)
      for size, title, peak, arguments, warm in (("16k", "Produce, 16 KiB batches", "produce-16k", {"batch-bytes": 16384}, 3000),
                                                 ("one-record", "One-record requests", "one-record", ONE_RECORD, 10_000))),
    *(Load(f"synced-{partitions}", f"Each record on stable storage before its answer: {partitions} partitions, 16 KiB batches,"
           " 16 connections, 5 in flight; beside Kafka without syncing",
           {"batch-bytes": 16384, "partitions": partitions, "connections": 16}, 100 * MB, 10 * MB, systems=("stele", "kafka-sync", "kafka"),
           unit="rate", fast=4, slow=("kafka-sync",), settings={"stele": {"stele.durability": "synced"}, "kafka-sync": {"log.flush.interval.messages": "1"},
                                          "kafka": {}},
           target="64 partitions: MB/s ≥ Kafka's without syncing" if partitions == 64 else "")
      for partitions in (1, 64, 1000)),
    Load("connections-10000", "10,000 connections, one-record requests, one in flight each",
         ONE_RECORD | {"connections": 10000, "in-flight": 1}, 60_000, 10_000, by="requests", unit="requests", systems=BROKERS),
    *(Load(f"journal-{partitions}-{size}k", f"Synced through the journal and file by file: {partitions} partitions, {size} KiB batches,"
           " 16 connections, 5 in flight", {"batch-bytes": size * 1024, "partitions": partitions, "connections": 16},
           size * 16 * MB, size * MB, systems=("stele", "stele-files"), unit="rate", apart=True,
           settings={"stele": {"stele.durability": "synced"},
                     "stele-files": {"stele.durability": "synced", "stele.journal.bytes": "0"}})
      for partitions in (1, 4, 64, 1000) for size in (4, 16, 64)),
]


def by_name(name):
    return next(load for load in LOADS if load.name == name)
