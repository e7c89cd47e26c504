"""kafka-python: every codec, with and without idempotence, groups, administration."""
import threading
import uuid

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetSpec, TopicPartition
from kafka.admin import ConfigResource, NewPartitions, NewTopic
from kafka.errors import TopicAlreadyExistsError

from witness import PARTITIONS, Run, check, row, step, until
from harness import corpus

run = Run("kafka-python")
admin = KafkaAdminClient(bootstrap_servers=run.address)


def create(topic, partitions=PARTITIONS, config=None):
    admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=config or {})])
    run.wait_served(topic, partitions)


def write(topic, records, **settings):
    producer = KafkaProducer(bootstrap_servers=run.address, max_request_size=1048588 + 200, linger_ms=5, **settings)
    sent = [producer.send(topic, partition=r["partition"], key=r["key"], value=r["value"],
                          headers=[(name, value or b"") for name, value in r["headers"]],  # it writes no null
                          timestamp_ms=r["timestamp"]) for r in records]
    producer.flush(60)
    for future in sent:
        future.get(30)
    producer.close()


def seen(record):
    return row(record.partition, record.offset, record.key, record.value, record.headers, record.timestamp)


def collect(consumer, rows, count):
    def more():
        for batch in consumer.poll(200).values():
            rows.extend(map(seen, batch))
        return len(rows) >= count
    until(f"{count} records read", more, 60)


def read(topic, count):
    consumer = KafkaConsumer(bootstrap_servers=run.address, auto_offset_reset="earliest", group_id=None)
    consumer.assign([TopicPartition(topic, p) for p in range(PARTITIONS)])
    rows = []
    collect(consumer, rows, count)
    consumer.close()
    return rows


def codecs():
    for codec in corpus.CODECS:
        step(f"codec {codec}")
        topic = run.topic(codec)
        create(topic)
        write(topic, run.records, compression_type=None if codec == "none" else codec)
        run.dump(topic, read(topic, len(run.records)))
    for topic in run.seeds:
        step(topic)
        run.dump(topic, read(topic, len(run.records)))
    step("without idempotence")
    topic = run.topic("plain")
    create(topic)
    write(topic, run.records, enable_idempotence=False, acks=1)
    run.dump(topic, read(topic, len(run.records)))


def member(topic, group, **settings):
    return KafkaConsumer(topic, bootstrap_servers=run.address, group_id=group, auto_offset_reset="earliest",
                         enable_auto_commit=False, heartbeat_interval_ms=500, session_timeout_ms=10000, **settings)


def groups():
    step("group: commit, restart, resume")
    topic, group, half = run.topic("none"), f"kafka-python-{uuid.uuid4()}", len(run.records) // 2
    rows = []
    for target in (half, len(run.records)):
        consumer = member(topic, group, max_poll_records=40)
        collect(consumer, rows, target)
        consumer.commit()
        consumer.close()
    run.dump(f"{topic}-group", rows)

    step("group: two members share, one leaves")
    first, second = Polled(topic, group), Polled(topic, group)
    until("both members own partitions", lambda: sorted([first.owned(), second.owned()]) == [1, 2], 40)
    first.leave()
    until("the remaining member owns all", lambda: second.owned() == PARTITIONS, 40)
    second.leave()
    consumer = member(topic, group)
    total = sum(consumer.committed(TopicPartition(topic, p)) for p in range(PARTITIONS))
    check(total == len(run.records), f"committed offsets sum to {total}")
    consumer.close()


class Polled:
    """A member that a thread of its own polls: a join of this client ends only inside poll()."""

    def __init__(self, topic, group):
        self._consumer, self._leaving, self._changed = member(topic, group), threading.Event(), threading.Event()
        self._owned = 0
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()

    def _poll(self):
        while not self._leaving.is_set():
            self._consumer.poll(500)
            self._owned = len(self._consumer.assignment())
            self._changed.set()
        self._consumer.close()

    def owned(self):
        """The number of partitions owned, after the next poll at the latest."""
        self._changed.wait(1)
        self._changed.clear()
        return self._owned

    def leave(self):
        self._leaving.set()
        self._thread.join(30)


def offsets():
    step("offsets by time, beginning, end")
    topic = run.topic("none")
    consumer = KafkaConsumer(bootstrap_servers=run.address)
    probe = run.records[120]
    partition = TopicPartition(topic, probe["partition"])
    found = consumer.offsets_for_times({partition: probe["timestamp"]})[partition]
    check(found.offset == 40 and found.timestamp == probe["timestamp"], f"offsets_for_times: {found}")
    check(consumer.beginning_offsets([partition]) == {partition: 0}, "beginning_offsets")
    check(consumer.end_offsets([partition]) == {partition: 80}, "end_offsets")
    listed = admin.list_partition_offsets({partition: OffsetSpec.MAX_TIMESTAMP})
    check(listed[partition].offset == 79, f"offset of the largest timestamp: {listed}")
    consumer.close()


def administration():
    step("admin: create, list, describe, alter, grow, delete")
    topic = run.topic("admin")
    create(topic, 2, {"retention.ms": "3600000"})
    check(topic in admin.list_topics(), "list_topics shows the new topic")
    check(len(admin.describe_topics([topic])[0]["partitions"]) == 2, "describe_topics")

    def config(name):
        answer = admin.describe_configs([ConfigResource("TOPIC", topic)], config_filter="all")
        return str(find(answer, name))

    check("3600000" in config("retention.ms"), f"describe_configs: {config('retention.ms')}")
    admin.alter_configs([ConfigResource("TOPIC", topic, {"segment.bytes": "2097152"})])
    until("alter_configs sets", lambda: "2097152" in config("segment.bytes"))
    check("3600000" in config("retention.ms"), "alter_configs is incremental")
    admin.create_partitions({topic: NewPartitions(5)})
    until("create_partitions", lambda: len(admin.describe_topics([topic])[0]["partitions"]) == 5)
    check(admin.describe_cluster()["brokers"], "describe_cluster")
    try:
        create(topic)
        check(False, "creating a topic twice must fail")
    except TopicAlreadyExistsError:
        pass
    write(topic, [r | {"partition": 0} for r in run.records[:10]])
    deleted = admin.delete_records({TopicPartition(topic, 0): 4})
    check("4" in str(list(deleted.values())[0]), f"delete_records: {deleted}")
    admin.delete_topics([topic])
    until("the deleted topic is gone", lambda: topic not in admin.list_topics())


def find(tree, name):
    """The value below `name` in nested dicts and lists."""
    if isinstance(tree, dict):
        if name in tree:
            return tree[name]
        tree = tree.values()
    if isinstance(tree, str) or not hasattr(tree, "__iter__"):
        return None
    return next((found for found in (find(branch, name) for branch in tree) if found is not None), None)


codecs()
groups()
offsets()
administration()
admin.close()
