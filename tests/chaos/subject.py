"""The broker under test as a process that can be frozen, and the run around it: clients, history, verdict."""
import os
import pathlib
import random
import signal
import time

import judge
import load
from harness import broker, wire
from harness.client import Client

PROBE = "probe"
STORAGE_ERROR = 56
PATIENCE = 60


class Subject(broker.SteleBroker):
    def __init__(self, layout, environment=None):
        super().__init__(layout)
        self._environment = environment or {}

    def environment(self):
        return os.environ | self._environment

    def pause(self):
        self._process.send_signal(signal.SIGSTOP)
        broker.wait_for("every thread of the broker is stopped", lambda: self._states() == {"T"}, 30)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)

    def _states(self):
        """A thread that has ended meanwhile raises an OSError, and is looked for again."""
        threads = pathlib.Path(f"/proc/{self._process.pid}/task").iterdir()
        return {(thread / "stat").read_text().rsplit(")", 1)[1].split()[0] for thread in threads}

    def verify(self):
        self.run_once([self._program, "log", "verify", "--quiet", *map(str, self.layout.log_dirs)], "stele log verify")

    def logged(self, text, since=0):
        return text in self.log.read_bytes()[since:].decode(errors="replace")

    def log_size(self):
        return self.log.stat().st_size


class Run:
    """One scenario: a broker, its clients, and everything they saw."""

    def __init__(self, name, seed, directory, program_environment=None, refusals=False, log_dirs=1, settings=None,
                 partitions=3):
        self.name, self.directory, self.partitions = name, directory, partitions
        self.chance = random.Random(f"{seed} {name}")
        self.history = load.History(name, seed, refusals)
        self.layout = broker.Layout(directory / "broker", log_dirs=log_dirs,
                                    settings={"log.segment.bytes": self.chance.choice(("1048576", "1048576", "33554432")),
                                              "stele.shards": str(self.chance.randint(1, 3)),
                                              "replica.high.watermark.checkpoint.interval.ms": "300",
                                              "log.flush.offset.checkpoint.interval.ms": "300"} | (settings or {}))
        self.process = Subject(self.layout, program_environment)
        self.topics, self.loads, self.reader, self.group, self.admin = {}, [], None, None, None
        self._turn = self._readers = 0

    def note(self, text):
        self.history.add("note", what=text)

    # The clients.

    def start(self, kinds=tuple(load.KINDS), group=True, admin=False):
        """Starts the broker, makes the topics and begins to load them."""
        self.process.start()
        self.client = Client(self.layout.address)
        for topic in (*kinds, PROBE):
            self.client.create(topic, self.partitions)
        self.topics = dict.fromkeys(kinds, self.partitions)
        self.process.wait_for_leaders()
        self.begin_load()
        self.follow()
        if group:
            self.begin_commits()
        if admin:
            self.begin_admin()

    def begin_load(self, settings=None):
        self._turn += 1
        self.loads = [load.Producing(self.history, self.layout.address, kind, kind, self.partitions, self._turn, settings)
                      for kind in self.topics]
        for each in self.loads:
            each.start()

    def follow(self):
        self._readers += 1
        self.reader = load.Following(self.history, self.layout.address, self.topics, f"r{self._readers}")
        self.reader.start()

    def begin_commits(self):
        self.group = load.Committing(self.history, self.layout.address, next(iter(self.topics)))
        self.group.start()

    def begin_admin(self):
        self.admin = load.Administering(self.history, self.layout.address, self._turn)
        self.admin.start()

    def wait_for_progress(self, partitions=None, count=1):
        """Every producer gets acknowledgements in each of `partitions` ({topic: numbers}, all when None)."""
        for each in self.loads:
            each.wait_for_more(PATIENCE, None if partitions is None else partitions[each.topic], count)
        self.reader.wait_for_more(PATIENCE)
        for each in (self.group, self.admin):
            if each:
                each.wait_for_more(PATIENCE)

    def stop_readers(self):
        self.reader.end()
        for each in (self.group, self.admin):
            if each:
                each.end()

    def finish(self):
        """Ends the clients, reads everything back, stops the broker cleanly and starts it once more for a last look. Its
        files must then be whole and agree."""
        for each in self.loads:
            each.end()
        self.stop_readers()
        self.look()
        self.process.stop()
        self.process.start()
        self.process.wait_for_leaders()
        self.look()
        self.process.stop()
        self.process.verify()

    def look(self, floors=None):
        load.scan(self.history, self.layout.address, self.topics, floors)
        if self.group:
            load.look_up_commits(self.history, self.client, self.group.topic, floors is not None)
        if self.admin:
            self.history.add("topics", names=sorted(self.client.topics()))

    # The broker.

    def moment(self, least, most):
        """A random moment of the load. A broker that dies during it is an error."""
        try:
            code = self.process.wait_exit(self.chance.uniform(least, most))
        except TimeoutError:
            return
        raise broker.BrokerError(f"the broker died by itself with {code}:\n{self.process.tail()}")

    def start_again(self):
        self.process.start()
        self.process.wait_for_leaders()

    def start_again_interrupted(self, kills):
        """kill -9 at random moments of the start, then a start that is left alone."""
        for _ in range(kills):
            since = self.process.log_size()
            self.process.launch()
            try:
                code = self.process.wait_exit(self.chance.uniform(0, self.start_seconds * 1.2))
            except TimeoutError:
                self.process.kill()
                self.interrupted += not self.process.logged("ready: ", since)
            else:
                raise broker.BrokerError(f"the broker ended during its start with {code}:\n{self.process.tail()}")
        before = time.monotonic()
        self.start_again()
        self.start_seconds = time.monotonic() - before

    start_seconds = 0.2
    interrupted = 0

    def log_dir_of(self, topic, partition):
        """The index of the log dir that has the partition, by its directory."""
        (index,) = [i for i, path in enumerate(self.layout.log_dirs) if (path / f"{topic}-{partition}").exists()]
        return index

    def partitions_in(self, log_dir):
        return {topic: [p for p in range(count) if self.log_dir_of(topic, p) == log_dir]
                for topic, count in self.topics.items()}

    def probe(self, partition):
        """The error of one produce request to a topic that nobody else writes."""
        return wire.produce(self.layout.address, PROBE, partition, wire.batch(-1, -1, -1, [b"probe"], 0))[0]

    def wait_for_refusal(self, log_dir=0):
        """Until the partitions of a log dir refuse records with KAFKA_STORAGE_ERROR."""
        for p in range(self.partitions):
            if self.log_dir_of(PROBE, p) == log_dir:
                broker.wait_for(f"partitions of {self.layout.log_dirs[log_dir].name} refuse records",
                                lambda partition=p: self.probe(partition) == STORAGE_ERROR, PATIENCE)

    def recovery_points(self):
        """{(topic, partition): offset} as the checkpoint of the (only) log dir has it on disk."""
        lines = (self.layout.log_dirs[0] / "recovery-point-offset-checkpoint").read_text().splitlines()[2:]
        rows = [line.split() for line in lines]
        return {(topic, int(p)): int(o) for topic, p, o in rows if topic in self.topics}

    # The end.

    def close(self):
        """Takes everything down, whatever state it is in."""
        self.process.kill()
        for each in [*self.loads, self.reader, self.group, self.admin]:
            if each:
                each.leave()

    def problems(self):
        return judge.problems(list(self.history.events))

    def figures(self):
        text = judge.figures(list(self.history.events))
        return text + (f", {self.interrupted} starts cut short" if self.interrupted else "")
