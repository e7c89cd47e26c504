"""Clients that write a history: producers, a reader that follows the log, a group that commits, and a full scan.

All of them stand on confluent-kafka (librdkafka), live through the absence of the broker, and write down what they are
about to do before they do it."""
import json
import threading

from harness import broker

FILLER = bytes(33 + (i * i + i // 7) % 90 for i in range(16384))
LIMIT = {"request_timeout": 20, "operation_timeout": 20}
UNDER_WAY_MAX = 100  # records of one partition
RECONNECT = {"log_level": 0, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200, "retry.backoff.ms": 20,
             "retry.backoff.max.ms": 200, "topic.metadata.refresh.interval.ms": 2000, "socket.timeout.ms": 10000}
KINDS = {
    "idempotent": {"enable.idempotence": True, "compression.type": "lz4"},
    "plain": {"enable.idempotence": False, "acks": "all", "max.in.flight.requests.per.connection": 1},
    "leader": {"enable.idempotence": False, "acks": "1", "max.in.flight.requests.per.connection": 1},
}


def value_of(session, number):
    """Every byte of a value follows from its name, so that a changed one is seen."""
    size = 2000 + number % 6000 if number % 40 == 0 else number % 400
    return b"%s:%d " % (session.encode(), number) + FILLER[number % 7919:][:size]


def name_of(value):
    head = value.split(b" ", 1)[0].decode("latin1")
    session, _, number = head.partition(":")
    if number.isdigit() and value_of(session, int(number)) == value:
        return session, int(number)
    return "?", value[:40].decode("latin1")


class History:
    """Shared by all threads of a run; appending to a list is atomic."""

    def __init__(self, what, seed, refusals=False):
        self.events = []
        self.add("run", what=what, seed=seed, refusals=refusals)

    def add(self, kind, **fields):
        self.events.append({"e": kind} | fields)

    def write(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(event) + "\n" for event in self.events)


class Producing(threading.Thread):
    """One producer session: unique values round robin over the partitions of its topic, until told to end."""

    def __init__(self, history, address, topic, kind, partitions, turn=0, settings=None):
        super().__init__(daemon=True)
        from confluent_kafka import Producer
        self.history, self.topic, self.kind = history, topic, kind
        self.session = f"{topic}.{turn}"
        self.acknowledged, self._under_way = [0] * partitions, [0] * partitions
        self.errors = 0  # of connections and requests, time-outs among them
        self._ending = threading.Event()
        self._producer = Producer({"bootstrap.servers": address, "linger.ms": 2, "message.timeout.ms": 300000,
                                   "error_cb": self._count_error} | RECONNECT | KINDS[kind] | (settings or {}))
        history.add("session", s=self.session, topic=topic, idempotent=kind == "idempotent")

    def _count_error(self, _):
        self.errors += 1

    def run(self):
        number, turn = 0, 0
        while not self._ending.is_set():
            for _ in range(10):
                turn = (turn + 1) % len(self._under_way)
                if self._under_way[turn] >= UNDER_WAY_MAX:
                    continue  # one partition that is away must not hold up the others
                self._under_way[turn] += 1
                self.history.add("send", s=self.session, p=turn, n=number)
                self._producer.produce(self.topic, partition=turn, value=value_of(self.session, number),
                                       on_delivery=self._delivered(turn, number))
                number += 1
            self._producer.poll(0)
            self._ending.wait(0.01)  # the pace of the load

    def _delivered(self, partition, number):
        def delivered(error, message):
            self._under_way[partition] -= 1
            if error is None:
                self.history.add("ack", s=self.session, p=partition, n=number,
                                 o=-1 if message.offset() is None else message.offset())
                self.acknowledged[partition] += 1
            else:
                self.history.add("fail", s=self.session, p=partition, n=number, why=str(error))
        return delivered

    def wait_for_more(self, seconds, partitions=None, count=1):
        """Until each of the partitions has `count` acknowledgements more than when this was called."""
        chosen = range(len(self.acknowledged)) if partitions is None else partitions
        before = list(self.acknowledged)
        broker.wait_for(f"{self.topic}: {count} more acknowledgements in each of {list(chosen)}",
                        lambda: all(self.acknowledged[p] >= before[p] + count for p in chosen), seconds)

    def end(self, seconds=90):
        """Ends when everything sent has been acknowledged or refused."""
        self._ending.set()
        self.join(seconds)
        if left := self._producer.flush(seconds):
            raise broker.BrokerError(f"{self.topic}: {left} records are neither acknowledged nor refused")

    def abandon(self):
        """Ends now; what is on its way stays unknown."""
        self._ending.set()
        self.join(30)
        self._producer.purge()
        self._producer.flush(10)

    def leave(self):
        self._ending.set()
        self._producer.purge()


class Following(threading.Thread):
    """Reads topics as they grow and writes down what it sees. A new one begins where the log begins."""

    def __init__(self, history, address, topics, name):
        super().__init__(daemon=True)
        from confluent_kafka import Consumer, OFFSET_BEGINNING, TopicPartition
        self.history, self.seen, self._name, self._ending = history, 0, name, threading.Event()
        self._consumer = Consumer({"bootstrap.servers": address, "group.id": "unused", "enable.auto.commit": False,
                                   "check.crcs": True, "fetch.wait.max.ms": 100} | RECONNECT)
        self._consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING)
                               for topic, partitions in topics.items() for p in range(partitions)])

    def run(self):
        while not self._ending.is_set():
            for message in self._consumer.consume(500, 0.1):
                if message.error() is None:
                    session, number = name_of(message.value())
                    self.history.add("read", r=self._name, topic=message.topic(), p=message.partition(),
                                     o=message.offset(), s=session, n=number)
                    self.seen += 1
        self._consumer.close()

    def wait_for_more(self, seconds):
        before = self.seen
        broker.wait_for("the reader sees more records", lambda: self.seen > before, seconds)

    def end(self):
        self._ending.set()
        self.join(30)

    def leave(self):
        self._ending.set()


class Committing(threading.Thread):
    """A group that commits rising offsets for one partition."""

    def __init__(self, history, address, topic):
        super().__init__(daemon=True)
        from confluent_kafka import Consumer
        self.history, self.address, self.topic, self.committed = history, address, topic, 0
        self._ending = threading.Event()
        self._consumer = Consumer({"bootstrap.servers": address, "group.id": "group", "enable.auto.commit": False}
                                  | RECONNECT)

    def run(self):
        from confluent_kafka import KafkaException, TopicPartition
        offset = 0
        while not self._ending.is_set():
            offset += 1
            self.history.add("commit", g="group", topic=self.topic, p=0, o=offset)
            try:
                self._consumer.commit(offsets=[TopicPartition(self.topic, 0, offset)], asynchronous=False)
                self.history.add("committed", g="group", topic=self.topic, p=0, o=offset)
                self.committed += 1
            except KafkaException:
                pass
            self._ending.wait(0.02)  # the pace of the load
        self._consumer.close()

    def wait_for_more(self, seconds):
        before = self.committed
        broker.wait_for("the group commits again", lambda: self.committed > before, seconds)

    def end(self):
        self._ending.set()
        self.join(60)
        if self.is_alive():
            raise broker.BrokerError("a commit neither succeeds nor fails")

    def leave(self):
        self._ending.set()


class Administering(threading.Thread):
    """Creates topics and deletes every second one."""

    def __init__(self, history, address, turn):
        super().__init__(daemon=True)
        from confluent_kafka.admin import AdminClient
        self.history, self._turn, self._ending, self._done = history, turn, threading.Event(), 0
        self._admin = AdminClient({"bootstrap.servers": address} | RECONNECT)

    def run(self):
        from confluent_kafka.admin import NewTopic
        number = 0
        while not self._ending.is_set() and number < 200:
            name, number = f"made-{self._turn}-{number}", number + 1
            made = self._do("create", "created", name, lambda: self._admin.create_topics([NewTopic(name, 1, 1)], **LIMIT))
            if made and number % 2:
                self._do("delete", "deleted", name, lambda: self._admin.delete_topics([name], **LIMIT))
            self._ending.wait(0.3)  # the pace of the load

    def _do(self, before, after, name, act):
        from confluent_kafka import KafkaException
        self.history.add(before, name=name)
        try:
            act()[name].result()
        except KafkaException:
            return False
        self.history.add(after, name=name)
        self._done += 1
        return True

    def wait_for_more(self, seconds):
        before = self._done
        broker.wait_for("topics can be created", lambda: self._done > before or not self.is_alive(), seconds)

    def end(self):
        self._ending.set()
        self.join(60)
        if self.is_alive():
            raise broker.BrokerError("a topic is neither created nor refused")

    def leave(self):
        self._ending.set()


def look_up_commits(history, client, topic, lossy=False):
    from confluent_kafka import KafkaException

    def ask():
        try:
            return client.committed("group", topic, 1)
        except KafkaException as error:  # a coordinator that has just moved is asked again
            raise OSError(str(error)) from None
    found = broker.wait_for("a group's offsets are told", ask, 60)[0]
    history.add("offset", g="group", topic=topic, p=0, o=max(found, 0), lossy=lossy)


def scan(history, address, topics, floors=None):
    """Reads every partition from its start to its end. `floors`: {(topic, partition): offset} after a power loss."""
    from confluent_kafka import Consumer, KafkaError, OFFSET_BEGINNING, TopicPartition
    rows = {(topic, p): [] for topic, partitions in topics.items() for p in range(partitions)}
    consumer = Consumer({"bootstrap.servers": address, "group.id": "unused", "enable.auto.commit": False,
                         "check.crcs": True, "enable.partition.eof": True, "fetch.wait.max.ms": 50} | RECONNECT)
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for topic, p in rows])
    left, idle = set(rows), 0
    while left:
        messages = consumer.consume(2000, 0.05)  # waits in full unless so many came
        idle = 0 if messages else idle + 1
        if idle > 600:
            raise broker.BrokerError(f"a full scan gets no further; left: {sorted(left)}")
        for message in messages:
            place = message.topic(), message.partition()
            if message.error() is None:
                rows[place].append([message.offset(), *name_of(message.value())])
            elif message.error().code() == KafkaError._PARTITION_EOF:
                left.discard(place)
    consumer.close()
    for (topic, p), found in rows.items():
        floor = {} if floors is None else {"floor": floors.get((topic, p), 0)}
        history.add("scan", topic=topic, p=p, rows=found, **floor)
