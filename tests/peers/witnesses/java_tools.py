"""Apache Kafka's own command line tools, all in one JVM; what they print is judged, not only how they exit."""
import json
import pathlib
import os
import re
import subprocess

from witness import Run, check, step, until
from harness import corpus
from harness.tools import Tools

run = Run("tools")
STELE = os.environ.get("STELE_PROGRAM", str(pathlib.Path(__file__).resolve().parents[3] / "build" / "release" / "stele"))
at = ["--bootstrap-server", run.address]
LINES = [line.decode() for line in corpus.text_lines()[:400] if line.isascii() and b"\t" not in line]


def create(tools, topic, partitions, *arguments):
    """Creates a topic and waits for its leaders: see wire.served() for what else a producer can run into."""
    text = tools.run("kafka-topics", *at, "--create", "--topic", topic, "--partitions", str(partitions), *arguments)
    check(f"Created topic {topic}." in text, text)
    run.wait_served(topic, partitions)


def topics(tools):
    step("kafka-topics")
    topic = run.topic("one")
    create(tools, topic, 2, "--config", "segment.bytes=1048576")
    check(topic in tools.run("kafka-topics", *at, "--list").splitlines(), "--list")
    text = tools.run("kafka-topics", *at, "--describe", "--topic", topic)
    check(re.search(rf"Topic: {topic}\tTopicId: \S+\tPartitionCount: 2\tReplicationFactor: 1\t.*segment.bytes=1048576",
                    text), text)
    check(re.search(rf"Topic: {topic}\tPartition: 1\tLeader: 1\tReplicas: 1\tIsr: 1", text), text)
    tools.run("kafka-topics", *at, "--alter", "--topic", topic, "--partitions", "4")
    until("--alter", lambda: "PartitionCount: 4" in tools.run("kafka-topics", *at, "--describe", "--topic", topic))
    text = tools.run("kafka-topics", *at, "--create", "--topic", topic, status=1)
    check("already exists" in text, text)
    tools.run("kafka-topics", *at, "--create", "--topic", topic, "--if-not-exists")
    for flag in ("--under-replicated-partitions", "--unavailable-partitions"):
        check(topic not in tools.run("kafka-topics", *at, "--describe", flag), flag)
    gone = run.topic("gone")
    tools.run("kafka-topics", *at, "--create", "--topic", gone)
    tools.run("kafka-topics", *at, "--delete", "--topic", gone)
    until("the deleted topic is gone", lambda: gone not in tools.run("kafka-topics", *at, "--list").splitlines())


def configs(tools):
    step("kafka-configs")
    topic = run.topic("one")
    entity = ["--entity-type", "topics", "--entity-name", topic]
    text = tools.run("kafka-configs", *at, "--alter", *entity, "--add-config", "retention.ms=7200000")
    check(f"Completed updating config for topic {topic}." in text, text)

    def described():
        return tools.run("kafka-configs", *at, "--describe", *entity)

    until("--add-config", lambda: "retention.ms=7200000" in described() and "segment.bytes=1048576" in described())
    tools.run("kafka-configs", *at, "--alter", *entity, "--delete-config", "retention.ms")
    until("--delete-config", lambda: "retention.ms" not in described())
    check("retention.ms=604800000" in tools.run("kafka-configs", *at, "--describe", "--all", *entity), "--all")
    tools.run("kafka-configs", *at, "--alter", *entity, "--add-config", "no.such.config=1", status=1)
    broker = ["--entity-type", "brokers", "--entity-name", "1"]
    check("log.cleaner.threads" in tools.run("kafka-configs", *at, "--describe", "--all", *broker), "broker configs")


def console(tools):
    step("kafka-console-producer, kafka-console-consumer")
    for codec in corpus.CODECS:
        topic = run.topic("console-" + codec)
        feed = "".join(f"source:licenses,n:{i}\tkey-{i}\t{line}\n" for i, line in enumerate(LINES)).encode()
        create(tools, topic, 1)
        tools.run("kafka-console-producer", *at, "--topic", topic, "--compression-codec", codec, "--reader-property",
                  "parse.key=true", "--reader-property", "parse.headers=true", feed=feed)
        text = tools.output("kafka-console-consumer", *at, "--topic", topic, "--from-beginning", "--max-messages",
                            str(len(LINES)), "--timeout-ms", "20000", "--formatter-property", "print.key=true",
                            "--formatter-property", "print.headers=true", "--formatter-property", "print.offset=true")
        want = "".join(f"Offset:{i}\tsource:licenses,n:{i}\tkey-{i}\t{line}\n" for i, line in enumerate(LINES))
        check(text == want, f"{codec}: the consumer printed {text[:300]}…")
    step("kafka-console-consumer with a group")
    topic = run.topic("console-none")
    group = ["--topic", topic, "--group", "tools-console", "--from-beginning", "--timeout-ms", "20000"]
    first = tools.output("kafka-console-consumer", *at, *group, "--max-messages", "100", "--command-property",
                         "max.poll.records=100")
    second = tools.output("kafka-console-consumer", *at, *group, "--max-messages", str(len(LINES) - 100))
    check((first + second).splitlines() == LINES, f"the group resumed with {second[:100]}")


def offsets(tools):
    step("kafka-get-offsets")
    topic, count = run.topic("console-gzip"), len(LINES)
    for time, want in (("earliest", 0), ("latest", count), ("max-timestamp", None), ("0", 0)):
        text = tools.output("kafka-get-offsets", *at, "--topic", topic, "--time", time)
        found = re.fullmatch(rf"{topic}:0:(\d+)\n", text)
        check(found and want in (None, int(found[1])), f"--time {time}: {text}")

    step("kafka-delete-records")
    path = run.out / "delete.json"
    path.write_text(json.dumps({"partitions": [{"topic": topic, "partition": 0, "offset": 10}], "version": 1}))
    text = tools.run("kafka-delete-records", *at, "--offset-json-file", str(path))
    check(f"partition: {topic}-0\tlow_watermark: 10" in text, text)
    check(tools.output("kafka-get-offsets", *at, "--topic", topic, "--time", "earliest") == f"{topic}:0:10\n", "start")
    path.write_text(json.dumps({"partitions": [{"topic": topic, "partition": 0, "offset": 99999}], "version": 1}))
    text = tools.run("kafka-delete-records", *at, "--offset-json-file", str(path))
    check("OffsetOutOfRange" in text, text)


def log_dirs(tools):
    """kafka-log-dirs, and kafka-dump-log on the files that it names, if they are on this machine."""
    step("kafka-log-dirs")
    partition, size = placed(tools, run.topic("console-zstd"))
    check(size > 1000, f"a size of {size}")
    if not partition.is_dir():
        step("kafka-dump-log left out: the log dirs are not on this machine")
        return
    step("kafka-dump-log --deep-iteration")
    for codec in corpus.CODECS:
        partition, _ = placed(tools, run.topic("console-" + codec))
        text = dump(tools, partition / "00000000000000000000.log", "--deep-iteration", "--print-data-log")
        batches = re.findall(r"^baseOffset: .* compresscodec: (\S+) .* isvalid: true$", text, re.M)
        check(batches and set(batches) == {codec}, f"{codec}: {text[:800]}")
        payloads = re.findall(r"^\| offset: .* payload: (.*)$", text, re.M)
        check(payloads == LINES, f"{codec}: the dump differs: {payloads[:3]}")
    step("kafka-dump-log of rolled segments and their indexes")
    topic = run.topic("rolled")
    create(tools, topic, 1, "--config", "segment.bytes=1048576")
    tools.run("kafka-producer-perf-test", "--topic", topic, "--num-records", "6000", "--record-size", "600",
              "--throughput", "-1", "--bootstrap-server", run.address)
    partition, _ = placed(tools, topic)
    rolled = sorted(partition.glob("*.log"))[:-1]
    check(len(rolled) >= 2, f"segments {rolled}")
    for log in rolled:
        check(log.stat().st_size <= 1048576, f"{log} has {log.stat().st_size} bytes")
        dump(tools, log, "--deep-iteration")
        for index in ("index", "timeindex"):
            dump(tools, log.with_suffix("." + index), "--verify-index-only")


def decoded(tools):
    """`stele log dump` and kafka-dump-log say the same of the internal topics, in the files of whatever broker runs."""
    step("kafka-dump-log beside stele log dump")
    partition, _ = placed(tools, run.topic("console-none"))
    if not partition.is_dir():
        return
    seen = set()
    for directory in sorted(partition.parent.parent.glob("*/__c*-*")):
        decoder = "--cluster-metadata-decoder" if "metadata" in directory.name else "--offsets-decoder"
        for segment in sorted(directory.glob("*.log")):
            theirs = tools.run("kafka-dump-log", decoder, "--files", str(segment))
            # Kafka's tool prints a field that is nearly always empty, and no colon behind two names.
            theirs = re.sub(r" (Snapshot\w+|KRaft\w+) {", r" \1: {", theirs.replace(" deleteHorizonMs: OptionalLong.empty", ""))
            ours = subprocess.run([STELE, "log", "dump", "--records", str(segment)], capture_output=True, text=True).stdout
            rows = [re.findall(r"^(?:\||baseOffset:) .*$", text, re.M) for text in (theirs, ours)]
            for one, other in zip(*rows):  # the broker goes on writing
                check(one == other, f"{segment}:\n{one}\nis shown as\n{other}")
            seen |= set(re.findall(r'"type":"(\w+)"', "\n".join(rows[0][:len(rows[1])])))
    check({"TOPIC_RECORD", "PARTITION_RECORD", "REGISTER_BROKER_RECORD", "1", "2"} <= seen, f"only {sorted(seen)}")


def placed(tools, topic):
    """(directory, size) of partition 0 by kafka-log-dirs."""
    text = tools.output("kafka-log-dirs", *at, "--describe", "--topic-list", topic)
    answer = json.loads(next(line for line in text.splitlines() if line.startswith("{")))
    (broker,) = answer["brokers"]
    check(all(d["error"] is None for d in broker["logDirs"]), text)
    found = [(d["logDir"], p) for d in broker["logDirs"] for p in d["partitions"] if p["partition"] == f"{topic}-0"]
    check(len(found) == 1 and found[0][1]["offsetLag"] == 0 and not found[0][1]["isFuture"], text)
    return pathlib.Path(found[0][0]) / f"{topic}-0", found[0][1]["size"]


def dump(tools, path, *arguments):
    text = tools.run("kafka-dump-log", *arguments, "--files", str(path))
    for complaint in ("isvalid: false", "Mismatches", "Found timestamp mismatch", "out of order",
                      "not found in the log"):
        check(complaint not in text, f"{path}: {complaint} in {text[-1500:]}")
    # It also says that -1 is followed by the base offset of a later segment, which is no gap.
    gap = re.search(r"^\s*\d+ is followed by .*$", text, re.M)
    check(not gap, f"{path}: {gap and gap[0]}")
    return text


def perf(tools):
    step("kafka-producer-perf-test, kafka-consumer-perf-test")
    topic = run.topic("perf")
    create(tools, topic, 3)
    text = tools.output("kafka-producer-perf-test", "--topic", topic, "--num-records", "50000", "--record-size", "500",
                        "--throughput", "-1", "--bootstrap-server", run.address, "--command-property", "acks=all",
                        "compression.type=lz4")
    check(re.search(r"^50000 records sent, .* ms avg latency", text, re.M), text)
    text = tools.output("kafka-consumer-perf-test", *at, "--topic", topic, "--num-records", "50000", "--timeout",
                        "30000")
    fields = [line.split(", ") for line in text.splitlines() if line.count(",") > 7][-1]
    check(int(fields[4]) >= 50000, text)
    end = tools.output("kafka-get-offsets", *at, "--topic", topic)
    check(sum(int(line.split(":")[2]) for line in end.splitlines()) == 50000, end)


def api_versions(tools):
    step("kafka-broker-api-versions")
    text = tools.run("kafka-broker-api-versions", *at)
    check(f"{run.address} (id: 1" in text, text[:300])
    for api in ("Produce(0): ", "Fetch(1): ", "ApiVersions(18): ", "CreateTopics(19): "):
        check(api in text and "UNSUPPORTED" not in text.split(api)[1].split("\n")[0], f"{api} in {text}")


with Tools() as tools:
    topics(tools)
    configs(tools)
    console(tools)
    offsets(tools)
    log_dirs(tools)
    perf(tools)
    decoded(tools)
    api_versions(tools)
