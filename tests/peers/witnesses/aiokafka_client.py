"""aiokafka: every codec, an idempotent producer, groups, administration."""
import asyncio
import uuid

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from witness import PARTITIONS, Run, check, row, step
from harness import corpus

run = Run("aiokafka")


async def create(admin, topic, partitions=PARTITIONS, config=None):
    answer = await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=config or {})])
    run.wait_served(topic, partitions)
    return answer.topic_errors[0][1]


async def write(topic, records, **settings):
    producer = AIOKafkaProducer(bootstrap_servers=run.address, max_request_size=1048588, linger_ms=5, **settings)
    await producer.start()
    try:
        sent = [await producer.send(topic, partition=r["partition"], key=r["key"], value=r["value"],
                                    headers=r["headers"], timestamp_ms=r["timestamp"]) for r in records]
        await asyncio.wait_for(asyncio.gather(*sent), 60)
    finally:
        await producer.stop()


def seen(record):
    return row(record.partition, record.offset, record.key, record.value, record.headers, record.timestamp)


async def collect(consumer, rows, count, most=500):
    async def more():
        while len(rows) < count:
            batches = await consumer.getmany(timeout_ms=500, max_records=most)
            for batch in batches.values():
                rows.extend(map(seen, batch))
    await asyncio.wait_for(more(), 60)


async def read(topic, count):
    consumer = AIOKafkaConsumer(bootstrap_servers=run.address, auto_offset_reset="earliest", group_id=None)
    await consumer.start()
    consumer.assign([TopicPartition(topic, p) for p in range(PARTITIONS)])
    rows = []
    await collect(consumer, rows, count)
    await consumer.stop()
    return rows


async def codecs(admin):
    for codec in corpus.CODECS:
        step(f"codec {codec}")
        topic = run.topic(codec)
        await create(admin, topic)
        await write(topic, run.records, compression_type=None if codec == "none" else codec)
        run.dump(topic, await read(topic, len(run.records)))
    for topic in run.seeds:
        step(topic)
        run.dump(topic, await read(topic, len(run.records)))
    step("idempotent producer")
    topic = run.topic("idempotent")
    await create(admin, topic)
    await write(topic, run.records, enable_idempotence=True)
    run.dump(topic, await read(topic, len(run.records)))


async def member(topic, group):
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=run.address, group_id=group, auto_offset_reset="earliest",
                                enable_auto_commit=False, heartbeat_interval_ms=500, session_timeout_ms=10000)
    await consumer.start()
    return consumer


async def groups():
    step("group: commit, restart, resume")
    topic, group, half = run.topic("none"), f"aiokafka-{uuid.uuid4()}", len(run.records) // 2
    rows = []
    for target in (half, len(run.records)):
        consumer = await member(topic, group)
        await collect(consumer, rows, target, most=40)
        await consumer.commit()
        await consumer.stop()
    run.dump(f"{topic}-group", rows)

    step("group: two members share, one leaves")
    first, second = await asyncio.gather(member(topic, group), member(topic, group))

    async def own(sizes, *members):
        while sorted(len(one.assignment()) for one in members) != sizes:
            for one in members:
                await one.getmany(timeout_ms=100)

    await asyncio.wait_for(own([1, 2], first, second), 40)
    await first.stop()
    await asyncio.wait_for(own([PARTITIONS], second), 40)
    total = sum([await second.committed(TopicPartition(topic, p)) for p in range(PARTITIONS)])
    check(total == len(run.records), f"committed offsets sum to {total}")

    step("offsets by time, beginning, end")
    probe = run.records[120]
    partition = TopicPartition(topic, probe["partition"])
    found = (await second.offsets_for_times({partition: probe["timestamp"]}))[partition]
    check(found.offset == 40, f"offsets_for_times: {found}")
    check(await second.beginning_offsets([partition]) == {partition: 0}, "beginning_offsets")
    check(await second.end_offsets([partition]) == {partition: 80}, "end_offsets")
    await second.stop()


async def until(ask, want):
    """What was changed shows up a moment after the answer: asks again until it does."""
    async def asked():
        while await ask() != want:
            pass

    await asyncio.wait_for(asked(), 20)


async def administration(admin):
    step("admin: create, list, describe, alter, grow, delete")
    topic = run.topic("admin")
    await create(admin, topic, 2, {"retention.ms": "3600000"})
    check(topic in await admin.list_topics(), "list_topics shows the new topic")

    async def partitions():
        return len((await admin.describe_topics([topic]))[0]["partitions"])

    async def config(name):
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        entries = answers[0].resources[0][4]
        return next(entry[1] for entry in entries if entry[0] == name)

    check(await partitions() == 2, "describe_topics")
    check(await config("retention.ms") == "3600000", "describe_configs")
    # AlterConfigs replaces all overrides of the topic, so that retention.ms falls back to its default.
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"segment.bytes": "2097152"})])
    await until(lambda: config("segment.bytes"), "2097152")
    check(await config("retention.ms") == "604800000", "alter_configs replaces")
    await admin.create_partitions({topic: NewPartitions(5)})
    await until(partitions, 5)
    check((await admin.describe_cluster())["brokers"], "describe_cluster")
    check(await create(admin, topic) == 36, "creating a topic twice: TOPIC_ALREADY_EXISTS")
    await write(topic, [r | {"partition": 0} for r in run.records[:10]])
    low = await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=4)})
    check(low == {TopicPartition(topic, 0): 4}, f"delete_records: {low}")
    await admin.delete_topics([topic])

    async def listed():
        return topic in await admin.list_topics()

    await until(listed, False)


async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=run.address)
    await admin.start()
    await codecs(admin)
    await groups()
    await administration(admin)
    await admin.close()


asyncio.run(main())
