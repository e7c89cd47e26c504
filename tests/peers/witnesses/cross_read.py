"""Reads with one client what each of the others wrote. The comparison is exact but for null headers, which some of
the writers cannot write."""
from confluent_records import Client
from witness import Run, step

run = Run("cross-read")
client = Client(run)
for dump in sorted(run.out.parent.glob("*/*.jsonl")):
    topic = dump.stem
    if topic.startswith("seed-") or topic.endswith("-group"):
        continue
    step(topic)
    run.dump(topic, client.read(topic))
