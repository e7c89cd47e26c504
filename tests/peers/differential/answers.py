"""What the broker under test and the recorded answers of Apache Kafka have in common: how they are got and read."""
import fnmatch
import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from harness import broker  # noqa: E402

GOLDEN = HERE / "golden" / "kafka.jsonl"
INTENDED = HERE / "intended.jsonl"
# The records of the scripts are from 1970, so nothing may expire; two brokers must agree on when a segment ends.
SETTINGS = {"log.retention.ms": "-1", "log.retention.check.interval.ms": "3600000", "max.incremental.fetch.session.cache.slots": "50"}
UNKNOWN_ID = re.compile(r"^(?!A{21}[AQ])[A-Za-z0-9_-]{22}$")
# Lists of these are in the order of a hash map in Kafka, which says nothing.
UNORDERED = {"DESCRIBE_CONFIGS", "METADATA", "DESCRIBE_LOG_DIRS", "CREATE_TOPICS", "DELETE_TOPICS", "INCREMENTAL_ALTER_CONFIGS",
             "ALTER_CONFIGS", "CREATE_PARTITIONS", "DELETE_RECORDS", "LIST_CONFIG_RESOURCES", "API_VERSIONS", "LIST_OFFSETS",
             "PRODUCE", "OFFSET_FOR_LEADER_EPOCH"}


def scripts():
    return sorted(HERE.glob("scripts/*.jsonl"))


def steps():
    """Every step by its name, in the order in which they are sent."""
    found = {}
    for path in scripts():
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            step = json.loads(line)
            if step["step"] in found:
                raise ValueError(f"{path.name}:{number}: a second step {step['step']!r}")
            found[step["step"]] = step
    return found


def ask(kind, directory):
    """Starts a fresh broker of that kind in the directory and returns its answers: {(step, version): answer}."""
    layout = broker.Layout(directory, settings=SETTINGS | ({"stele.http.port": "-1"} if kind == "stele" else {}))
    server = broker.BROKERS[kind](layout).start()
    try:
        # The answers are as long as a recording, so they go to a file.
        with open(pathlib.Path(directory) / "answers", "w+") as got, open(pathlib.Path(directory) / "script.log", "w+") as log:
            done = subprocess.run(["java", *broker.JAVA_FLAGS, "-Xmx256m", "-cp", f"{broker.KAFKA_JARS}/*", str(HERE / "Script.java"),
                                   server.address, *map(str, scripts())], stdout=got, stderr=log, timeout=300)
            got.seek(0)
            log.seek(0)
            lines, problems = got.read().splitlines(), log.read()
        if done.returncode:
            raise broker.BrokerError(f"the script stopped after {len(lines)} answers:\n{problems}\n{server.tail()}")
        if not server.running:
            raise broker.BrokerError(f"{kind} died:\n{server.tail()}")
    finally:
        server.kill()
    known, answers = steps(), {}
    for line in lines:
        answer = json.loads(line)
        api = known[answer["step"]].get("api", "")
        answers[answer["step"], answer.get("v")] = settled(answer["answer"], layout, api in UNORDERED)
    return answers


def settled(node, layout, unordered, field=""):
    """An answer without what differs from one run of the same broker to the next."""
    if isinstance(node, dict):
        return {key: settled(value, layout, unordered, key) for key, value in node.items()}
    if isinstance(node, list):
        ours = [item for item in node if isinstance(item, dict) and str(item.get("name", "")).startswith("stele.")]
        items = [settled(item, layout, unordered, field) for item in node if item not in ours]
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True)) if unordered else items
    if field in ("totalBytes", "usableBytes") and node > 0:
        return "<bytes>"
    if field == "finalizedFeaturesEpoch" and node > 0:
        return "<an offset>"  # depends on how many NoOp records are there
    if type(node) is int and 1_600_000_000_000 <= node < 2_000_000_000_000:
        return "<now>"
    if isinstance(node, str):
        if field == "documentation" and node:
            return "<text>"
        if field == "topicId" and UNKNOWN_ID.match(node):
            return "<an id>"
        node = node.replace(str(layout.directory), "<dir>").replace(f":{layout.port}", ":<port>")
        node = node.replace(f":{layout.controller_port}", ":<controller port>").replace(layout.cluster_id, "<cluster>")
        node = re.sub(r"\b1[6-9]\d{11}\b", "<now>", node)
        node = re.sub(r"within \[[^]]+\]", "within [<time>, <time>]", node)
    return node


def write(answers, path):
    path.parent.mkdir(exist_ok=True)
    with open(path, "w") as file:
        for (step, version), answer in answers.items():
            file.write(json.dumps({"step": step, "v": version, "answer": answer}, separators=(",", ":")) + "\n")


def read(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {(line["step"], line["v"]): line["answer"] for line in lines}


def differences(kafka, stele, path=""):
    """Pairs of what differs, each with the path to it."""
    if isinstance(kafka, dict) and isinstance(stele, dict):
        for key in kafka.keys() | stele.keys():
            yield from differences(kafka.get(key, "(absent)"), stele.get(key, "(absent)"), f"{path}/{key}")
    elif isinstance(kafka, list) and isinstance(stele, list) and len(kafka) == len(stele):
        for index, (left, right) in enumerate(zip(kafka, stele)):
            yield from differences(left, right, f"{path}/{index}")
    elif isinstance(kafka, list) and isinstance(stele, list):
        missing, added = [x for x in kafka if x not in stele], [x for x in stele if x not in kafka]
        yield path, missing, added
    elif kafka != stele or type(kafka) is not type(stele):
        yield path, kafka, stele


class Intended:
    """The differences that are meant, each with a reason; one that no longer occurs is reported too."""

    def __init__(self):
        self.rules = [json.loads(line) for line in INTENDED.read_text().splitlines() if line.strip()]
        self.used = set()

    def covers(self, step, path, kafka, stele):
        for index, rule in enumerate(self.rules):
            if (fnmatch.fnmatchcase(step, rule["step"]) and fnmatch.fnmatchcase(path, rule.get("path", "*")) and
                    ("kafka" not in rule or rule["kafka"] == kafka) and ("stele" not in rule or rule["stele"] == stele)):
                self.used.add(index)
                return True
        return False

    def unused(self):
        return [rule for index, rule in enumerate(self.rules) if index not in self.used]
