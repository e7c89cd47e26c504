"""Writes the corpus with every codec into topics seed-<codec>, which all other witnesses read."""
from confluent_records import Client
from witness import Run, step
from harness import corpus

run = Run("seed")
client = Client(run)
for codec in corpus.CODECS:
    step(codec)
    topic = run.topic(codec)
    client.create(topic)
    client.write(topic, run.records, **{"compression.type": codec, "enable.idempotence": True})
    run.dump(topic, client.read(topic))
