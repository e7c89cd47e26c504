//! rskafka, a client written in Rust alone: every codec, offsets, and its share of administration. It has no groups,
//! and does not read the seeds, since a header without a value is malformed to it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use base64::{engine::general_purpose::STANDARD, Engine};
use chrono::{DateTime, TimeZone, Utc};
use rskafka::client::partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::{Record, RecordAndOffset};
use serde_json::{json, Value};

type Outcome<T> = Result<T, Box<dyn Error>>;

const PARTITIONS: i32 = 3;
const CODECS: [(&str, Compression); 5] = [
    ("none", Compression::NoCompression),
    ("gzip", Compression::Gzip),
    ("snappy", Compression::Snappy),
    ("lz4", Compression::Lz4),
    ("zstd", Compression::Zstd),
];

struct Run {
    client: Client,
    corpus: Vec<(i32, Record)>,
    out: PathBuf,
}

fn bytes(value: &Value) -> Outcome<Option<Vec<u8>>> {
    Ok(value.as_str().map(|text| STANDARD.decode(text)).transpose()?)
}

fn time(milliseconds: i64) -> Outcome<DateTime<Utc>> {
    Utc.timestamp_millis_opt(milliseconds).single().ok_or_else(|| "a bad timestamp".into())
}

/// A line of the corpus. Headers are a map here, without null values.
fn parse(line: &str) -> Outcome<(i32, Record)> {
    let row: Value = serde_json::from_str(line)?;
    let mut headers = BTreeMap::new();
    for pair in row["headers"].as_array().ok_or("no headers")? {
        headers.insert(pair[0].as_str().unwrap_or("").to_owned(), bytes(&pair[1])?.unwrap_or_default());
    }
    let timestamp = time(row["timestamp"].as_i64().ok_or("no timestamp")?)?;
    let record = Record { key: bytes(&row["key"])?, value: bytes(&row["value"])?, headers, timestamp };
    Ok((row["partition"].as_i64().ok_or("no partition")? as i32, record))
}

fn dumped(partition: i32, row: &RecordAndOffset) -> String {
    let text = |data: &Vec<u8>| STANDARD.encode(data);
    let headers: Vec<Value> = row.record.headers.iter().map(|(n, v)| json!([n, text(v)])).collect();
    json!({"partition": partition, "offset": row.offset, "key": row.record.key.as_ref().map(text),
           "value": row.record.value.as_ref().map(text), "headers": headers,
           "timestamp": row.record.timestamp.timestamp_millis()})
    .to_string()
}

fn expect(condition: bool, what: &str) -> Outcome<()> {
    if condition { Ok(()) } else { Err(what.into()) }
}

impl Run {
    async fn partition(&self, topic: &str, partition: i32) -> Outcome<PartitionClient> {
        Ok(self.client.partition_client(topic, partition, UnknownTopicHandling::Retry).await?)
    }

    fn records(&self, partition: i32) -> Vec<Record> {
        self.corpus.iter().filter(|(p, _)| *p == partition).map(|(_, record)| record.clone()).collect()
    }

    async fn write(&self, topic: &str, compression: Compression) -> Outcome<()> {
        self.client.controller_client()?.create_topic(topic, PARTITIONS, 1, 20_000).await?;
        for partition in 0..PARTITIONS {
            let client = self.partition(topic, partition).await?;
            // One call is one batch, so the large value goes in a call of its own.
            let records = self.records(partition);
            for part in records.chunk_by(|a, b| a.approximate_size().max(b.approximate_size()) < 1_000_000) {
                client.produce(part.to_vec(), compression).await?;
            }
        }
        Ok(())
    }

    async fn read(&self, topic: &str) -> Outcome<()> {
        let mut lines = String::new();
        for partition in 0..PARTITIONS {
            let client = self.partition(topic, partition).await?;
            let (mut next, end) = (0, self.records(partition).len() as i64);
            while next < end {
                let (rows, _) = client.fetch_records(next, 1..4_000_000, 500).await?;
                for row in rows.iter().filter(|row| row.offset >= next) {
                    lines += &(dumped(partition, row) + "\n");
                }
                next = rows.last().map_or(next, |row| row.offset + 1);
            }
        }
        fs::write(self.out.join(format!("{topic}.jsonl")), lines)?;
        Ok(())
    }

    async fn offsets(&self) -> Outcome<()> {
        println!("- offsets, delete records, list, delete");
        let client = self.partition("rskafka-none", 0).await?;
        expect(client.get_offset(OffsetAt::Earliest).await? == 0, "the earliest offset")?;
        expect(client.get_offset(OffsetAt::Latest).await? == 80, "the latest offset")?;
        self.write("rskafka-admin", Compression::Gzip).await?;
        let client = self.partition("rskafka-admin", 0).await?;
        client.delete_records(4, 20_000).await?;
        expect(client.get_offset(OffsetAt::Earliest).await? == 4, "the start after deleting records")?;
        let admin = self.client.controller_client()?;
        expect(admin.create_topic("rskafka-admin", 1, 1, 5_000).await.is_err(), "creating a topic twice must fail")?;
        let listed = |topics: Vec<rskafka::topic::Topic>| topics.iter().any(|topic| topic.name == "rskafka-admin");
        expect(listed(self.client.list_topics().await?), "the new topic is listed")?;
        admin.delete_topic("rskafka-admin", 20_000).await?;
        while listed(self.client.list_topics().await?) {}
        Ok(())
    }
}

async fn witness() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let client = ClientBuilder::new(vec![arguments[1].clone()]).build().await?;
    let corpus = fs::read_to_string(&arguments[2])?.lines().map(parse).collect::<Outcome<_>>()?;
    let run = Run { client, corpus, out: PathBuf::from(&arguments[3]) };
    for (name, compression) in CODECS {
        println!("- codec {name}");
        let topic = format!("rskafka-{name}");
        run.write(&topic, compression).await?;
        run.read(&topic).await?;
    }
    run.offsets().await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    tokio::time::timeout(Duration::from_secs(200), witness()).await?
}
