"""confluent-kafka (librdkafka): every codec, an idempotent producer, groups, administration."""
import uuid

from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, OffsetSpec, ResourceType

from confluent_records import Client, seen
from witness import PARTITIONS, Run, check, step, until
from harness import corpus

run = Run("confluent")
client = Client(run)
base, admin, create, write = client.base, client.admin, client.create, client.write


def codecs():
    for codec in corpus.CODECS:
        step(f"codec {codec}")
        topic = run.topic(codec)
        create(topic)
        write(topic, run.records, **{"compression.type": codec})
        run.dump(topic, client.read(topic))


    for topic in run.seeds:
        step(topic)
        run.dump(topic, client.read(topic))


def idempotent():
    step("idempotent producer")
    topic = run.topic("idempotent")
    create(topic)
    write(topic, run.records, **{"enable.idempotence": True, "compression.type": "lz4"})
    run.dump(topic, client.read(topic))


def acks():
    for level in ("0", "1"):
        step(f"acks={level}")
        topic = run.topic(f"acks{level}")
        create(topic)
        write(topic, run.records, acks=level)
        run.dump(topic, client.read(topic))


def member(group):
    return Consumer(base | {"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False,
                            "session.timeout.ms": 10000, "heartbeat.interval.ms": 500})


def groups():
    step("group: commit, restart, resume")
    topic, group, half = run.topic("none"), f"confluent-{uuid.uuid4()}", len(run.records) // 2
    rows = []
    for target in (half, len(run.records)):
        consumer = member(group)
        consumer.subscribe([topic])

        def more():
            message = consumer.poll(0.5)
            if message is not None:
                rows.append(seen(message))
                if len(rows) % 40 == 0:
                    consumer.commit(asynchronous=False)
            return len(rows) >= target

        until(f"{target} records by a group", more)
        consumer.close()
    run.dump(f"{topic}-group", rows)

    step("group: two members share, one leaves")
    first, second = member(group), member(group)
    first.subscribe([topic]), second.subscribe([topic])

    def owned(*members):
        for one in members:
            one.poll(0.1)
        return [len(one.assignment()) for one in members]

    until("both members own partitions", lambda: sorted(owned(first, second)) == [1, 2], 40)
    first.close()
    until("the remaining member owns all", lambda: owned(second) == [PARTITIONS], 40)
    committed = second.committed([TopicPartition(topic, p) for p in range(PARTITIONS)], 20)
    check(sum(p.offset for p in committed) == len(run.records), f"committed offsets {committed}")
    second.close()


def offsets():
    step("offsets by time, watermarks")
    topic = run.topic("none")
    consumer = member("confluent-offsets")
    probe = run.records[120]
    found = consumer.offsets_for_times([TopicPartition(topic, probe["partition"], probe["timestamp"])], 20)
    check(found[0].offset == 40, f"offset for a timestamp: {found}")
    check(consumer.get_watermark_offsets(TopicPartition(topic, 0), 20) == (0, 80), "watermarks")
    consumer.close()
    listed = admin.list_offsets({TopicPartition(topic, 1): OffsetSpec.latest()})
    check([f.result(20).offset for f in listed.values()] == [80], "list_offsets latest")


def administration():
    step("admin: create, list, describe, alter, grow, delete")
    topic = run.topic("admin")
    create(topic, 2, {"retention.ms": "3600000"})

    def partitions():
        topics = admin.list_topics(timeout=20).topics
        return len(topics[topic].partitions) if topic in topics else 0

    until("list_topics shows the new topic", lambda: partitions() == 2)
    resource = ConfigResource(ResourceType.TOPIC, topic)

    def config(name):
        return list(admin.describe_configs([resource]).values())[0].result(20)[name].value

    check(config("retention.ms") == "3600000", "describe_configs shows what create set")
    change = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[
        ConfigEntry("segment.bytes", "2097152", incremental_operation=AlterConfigOpType.SET),
        ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE)])
    list(admin.incremental_alter_configs([change]).values())[0].result(20)
    until("incremental_alter_configs sets", lambda: config("segment.bytes") == "2097152")
    check(config("retention.ms") == "604800000", "incremental_alter_configs deletes")
    admin.create_partitions([NewPartitions(topic, 5)])[topic].result(20)
    until("create_partitions", lambda: partitions() == 5)
    check(admin.describe_cluster().result(20).controller is not None, "describe_cluster")
    try:
        create(topic)
        check(False, "creating a topic twice must fail")
    except Exception as error:
        check(error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS, f"creating twice: {error}")
    write(topic, [r | {"partition": 0} for r in run.records[:10]])
    low = list(admin.delete_records([TopicPartition(topic, 0, 4)]).values())[0].result(20)
    check(low.low_watermark == 4, "delete_records")
    admin.delete_topics([topic])[topic].result(20)
    until("the deleted topic is gone", lambda: topic not in admin.list_topics(timeout=20).topics)


codecs()
idempotent()
acks()
groups()
offsets()
administration()
