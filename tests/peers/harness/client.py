"""A client on confluent-kafka for the runners that judge a broker's files; it remembers what was acknowledged."""
import os
import sys

from .broker import CACHE

VENV = CACHE / "venv" / "bin" / "python"


def enter_venv():
    """Runs the calling program again under the Python that has confluent-kafka; ends it if there is none."""
    try:
        import confluent_kafka  # noqa: F401
    except ImportError:
        if not VENV.exists() or pathlike(sys.executable) == pathlike(VENV):
            sys.exit("no confluent-kafka; scripts/install peers")
        os.execv(VENV, [str(VENV), *sys.argv])


def pathlike(path):
    return os.path.abspath(path)


class Client:
    def __init__(self, address):
        from confluent_kafka.admin import AdminClient
        self.base = {"bootstrap.servers": address, "log_level": 0}
        self.admin = AdminClient(self.base)

    def create(self, topic, partitions, config=None):
        from confluent_kafka.admin import NewTopic
        self.admin.create_topics([NewTopic(topic, partitions, 1, config=config or {})])[topic].result(30)

    def delete(self, topic):
        self.admin.delete_topics([topic])[topic].result(30)

    def delete_records(self, topic, partition, offset):
        from confluent_kafka import TopicPartition
        (future,) = self.admin.delete_records([TopicPartition(topic, partition, offset)]).values()
        return future.result(30).low_watermark

    def topics(self):
        return {name for name in self.admin.list_topics(timeout=20).topics if not name.startswith("__")}

    def write(self, topic, rows, **settings):
        """Sends rows (partition, key, value, timestamp) and returns {partition: [(offset, key, value, timestamp)]}."""
        from confluent_kafka import Producer
        stored = {}

        def delivered(error, message):
            if error is not None:
                raise RuntimeError(f"{topic}: {error}")
            stored.setdefault(message.partition(), []).append(
                (message.offset(), message.key(), message.value(), message.timestamp()[1]))

        producer = Producer(self.base | {"enable.idempotence": True, "linger.ms": 5} | settings)
        for partition, key, value, timestamp in rows:
            producer.produce(topic, partition=partition, key=key, value=value, timestamp=timestamp,
                             on_delivery=delivered)
            producer.poll(0)
        if left := producer.flush(60):
            raise RuntimeError(f"{topic}: {left} messages were not acknowledged within 60 s")
        return stored

    def watermarks(self, topic, partition):
        from confluent_kafka import Consumer, TopicPartition
        consumer = Consumer(self.base | {"group.id": "unused"})
        try:
            return consumer.get_watermark_offsets(TopicPartition(topic, partition), 20)
        finally:
            consumer.close()

    def read(self, topic, partitions):
        """{partition: [(offset, key, value, timestamp)]} from the start of each partition to its end."""
        from confluent_kafka import Consumer, KafkaError, OFFSET_BEGINNING, TopicPartition
        consumer = Consumer(self.base | {"group.id": "unused", "enable.auto.commit": False,
                                         "enable.partition.eof": True, "fetch.wait.max.ms": 50})
        consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(partitions)])
        rows, ended, idle = {}, set(), 0
        try:
            while len(ended) < partitions:
                messages = consumer.consume(1000, 0.1)  # waits in full unless 1,000 came
                idle = 0 if messages else idle + 1
                if idle > 200:
                    raise RuntimeError(f"{topic}: nothing came for {idle / 10} s; ended: {sorted(ended)}")
                for message in messages:
                    if message.error() is None:
                        rows.setdefault(message.partition(), []).append(
                            (message.offset(), message.key(), message.value(), message.timestamp()[1]))
                    elif message.error().code() == KafkaError._PARTITION_EOF:
                        ended.add(message.partition())
            return rows
        finally:
            consumer.close()

    def commit(self, group, topic, offsets):
        from confluent_kafka import Consumer, TopicPartition
        consumer = Consumer(self.base | {"group.id": group, "enable.auto.commit": False})
        consumer.commit(offsets=[TopicPartition(topic, p, o) for p, o in offsets.items()], asynchronous=False)
        consumer.close()

    def committed(self, group, topic, partitions):
        from confluent_kafka import Consumer, TopicPartition
        consumer = Consumer(self.base | {"group.id": group})
        try:
            return {c.partition: c.offset
                    for c in consumer.committed([TopicPartition(topic, p) for p in range(partitions)], 30)}
        finally:
            consumer.close()
