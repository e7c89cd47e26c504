"""Writing and reading whole corpora with confluent-kafka (librdkafka)."""
from confluent_kafka import Consumer, OFFSET_BEGINNING, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from witness import PARTITIONS, check, row, until


def seen(message):
    check(message.error() is None, f"consumer error {message.error()}")
    _, timestamp = message.timestamp()
    return row(message.partition(), message.offset(), message.key(), message.value(), message.headers(), timestamp)


class Client:
    def __init__(self, run):
        self._run = run
        self.base = {"bootstrap.servers": run.address}
        self.admin = AdminClient(self.base)

    def create(self, topic, partitions=PARTITIONS, config=None):
        self.admin.create_topics([NewTopic(topic, partitions, 1, config=config or {})])[topic].result(30)
        self._run.wait_served(topic, partitions)

    def write(self, topic, records, **settings):
        failures = []
        producer = Producer(self.base | {"message.max.bytes": 1048588, "linger.ms": 5} | settings)
        for record in records:
            producer.produce(topic, partition=record["partition"], key=record["key"], value=record["value"],
                             headers=record["headers"], timestamp=record["timestamp"],
                             on_delivery=lambda error, _: error and failures.append(error))
            producer.poll(0)
        check(producer.flush(60) == 0, f"{topic}: flush left messages behind")
        check(not failures, f"{topic}: deliveries failed: {failures[:3]}")

    def read(self, topic):
        """All records of the corpus, from the beginning of every partition."""
        consumer = Consumer(self.base | {"group.id": "unused", "enable.auto.commit": False, "fetch.wait.max.ms": 50})
        consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(PARTITIONS)])
        rows, count = [], len(self._run.records)

        def more():
            rows.extend(map(seen, consumer.consume(500, 0.2)))
            return len(rows) >= count

        until(f"{topic}: all records read ({count})", more, 60)
        consumer.close()
        return rows
