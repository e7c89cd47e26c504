// kafkajs: every codec, an idempotent producer, groups, administration.
'use strict'
const fs = require('fs')
const path = require('path')
const crypto = require('crypto')
const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, logLevel } = require('kafkajs')

CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
CompressionCodecs[CompressionTypes.LZ4] = new (require('kafkajs-lz4'))().codec
const zstd = require('@mongodb-js/zstd')
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: encoder => zstd.compress(encoder.buffer),
  decompress: buffer => zstd.decompress(buffer)
})

const CODECS = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD }
const PARTITIONS = 3
const [address, corpusPath, out, seeds] = process.argv.slice(2)
const kafka = new Kafka({ brokers: [address], logLevel: logLevel.ERROR, retry: { retries: 10, initialRetryTime: 50 } })
const admin = kafka.admin()

const bytes = text => text === null ? null : Buffer.from(text, 'base64')
const corpus = fs.readFileSync(corpusPath, 'utf8').trimEnd().split('\n').map(line => {
  const row = JSON.parse(line)
  return { ...row, key: bytes(row.key), value: bytes(row.value), headers: row.headers.map(([n, v]) => [n, bytes(v)]) }
})

function step (what) { console.log('- ' + what) }
function check (condition, what) { if (!condition) throw new Error(what) }

function deadline (promise, what, seconds = 40) {
  let timer
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${seconds} s`)), seconds * 1000)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

// What was changed shows up a moment after the answer: asks again until it does.
function until (what, condition) {
  return deadline((async () => { while (!await condition()); })(), what)
}

function dump (name, rows) {
  const text = value => value === null ? null : value.toString('base64')
  fs.writeFileSync(path.join(out, name + '.jsonl'), rows.map(row => JSON.stringify({ ...row, key: text(row.key),
    value: text(row.value), headers: row.headers.map(([n, v]) => [n, text(v)]) }) + '\n').join(''))
}

// Headers are an object here, so that one name twice is a list; a null header value is written as an empty one.
function writable (headers) {
  const object = {}
  for (const [name, value] of headers) {
    const filled = value === null ? Buffer.alloc(0) : value
    object[name] = name in object ? [].concat(object[name], filled) : filled
  }
  return object
}

function seen (partition, message) {
  const headers = Object.entries(message.headers || {}).flatMap(([name, value]) => [].concat(value).map(v => [name, v]))
  return { partition, offset: Number(message.offset), key: message.key, value: message.value, headers,
    timestamp: Number(message.timestamp) }
}

async function create (topic, numPartitions = PARTITIONS, configEntries = []) {
  return admin.createTopics({ topics: [{ topic, numPartitions, configEntries }], waitForLeaders: true })
}

// One send is one batch a partition, so the large value goes in a send of its own.
async function write (topic, rows, settings, compression) {
  const producer = kafka.producer({ allowAutoTopicCreation: false, maxInFlightRequests: 1, ...settings })
  await producer.connect()
  const large = rows.findIndex(row => row.value && row.value.length > 1e6)
  const parts = large < 0 ? [rows] : [rows.slice(0, large), rows.slice(large, large + 1), rows.slice(large + 1)]
  for (const part of parts) {
    await producer.send({ topic, compression, acks: -1, messages: part.map(row => ({ partition: row.partition,
      key: row.key, value: row.value, headers: writable(row.headers), timestamp: String(row.timestamp) })) })
  }
  await producer.disconnect()
}

function member (groupId) {
  return kafka.consumer({ groupId, sessionTimeout: 10000, heartbeatInterval: 300, rebalanceTimeout: 10000,
    maxWaitTimeInMs: 200 })
}

// Reads until there are `count` rows, commits them and leaves the group.
async function collect (topic, groupId, rows, count) {
  const consumer = member(groupId)
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await deadline(new Promise((resolve, reject) => {
    consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        if (rows.length >= count) return
        rows.push(seen(partition, message))
        if (rows.length === count) resolve()
      }
    }).catch(reject)
  }), `${topic}: ${count} records`)
  const next = new Map(rows.map(row => [row.partition, row.offset + 1]))
  await consumer.commitOffsets([...next].map(([partition, offset]) => ({ topic, partition, offset: String(offset) })))
  await consumer.disconnect()
}

async function codecs () {
  for (const [name, type] of Object.entries(CODECS)) {
    step('codec ' + name)
    const topic = 'kafkajs-' + name
    await create(topic)
    await write(topic, corpus, {}, type)
    const rows = []
    await collect(topic, topic, rows, corpus.length)
    dump(topic, rows)
  }
  for (const codec of seeds.split(',').filter(Boolean)) {
    step('seed-' + codec)
    const rows = []
    await collect('seed-' + codec, 'kafkajs-seed-' + codec, rows, corpus.length)
    dump('seed-' + codec, rows)
  }
  step('idempotent producer')
  await create('kafkajs-idempotent')
  await write('kafkajs-idempotent', corpus, { idempotent: true }, CODECS.gzip)
  const rows = []
  await collect('kafkajs-idempotent', 'kafkajs-idempotent', rows, corpus.length)
  dump('kafkajs-idempotent', rows)
}

// Resolves when the members own `sizes` partitions, in any order.
function owning (members, sizes) {
  const owned = members.map(() => 0)
  return deadline(new Promise(resolve => members.forEach((one, index) => one.on(one.events.GROUP_JOIN, ({ payload }) => {
    owned[index] = (payload.memberAssignment['kafkajs-none'] || []).length
    if (String([...owned].sort()) === String(sizes)) resolve()
  }))), `members own ${sizes}`)
}

async function groups () {
  step('group: commit, restart, resume')
  const groupId = 'kafkajs-' + crypto.randomUUID()
  const rows = []
  await collect('kafkajs-none', groupId, rows, corpus.length / 2)
  await collect('kafkajs-none', groupId, rows, corpus.length)
  dump('kafkajs-none-group', rows)

  step('group: two members share, one leaves')
  const members = [member(groupId), member(groupId)]
  const shared = owning(members, [1, 2])
  for (const one of members) {
    await one.connect()
    await one.subscribe({ topics: ['kafkajs-none'] })
    await one.run({ eachMessage: async () => {} })
  }
  await shared
  const alone = owning([members[1]], [PARTITIONS])
  await members[0].disconnect()
  await alone
  await members[1].disconnect()
  const [committed] = await admin.fetchOffsets({ groupId, topics: ['kafkajs-none'] })
  const total = committed.partitions.reduce((sum, p) => sum + Number(p.offset), 0)
  check(total === corpus.length, `committed offsets sum to ${total}`)
}

async function administration () {
  step('offsets')
  const ends = await admin.fetchTopicOffsets('kafkajs-none')
  check(ends.every(p => p.low === '0' && p.high === '80'), JSON.stringify(ends))
  const byTime = await admin.fetchTopicOffsetsByTimestamp('kafkajs-none', corpus[120].timestamp)
  check(byTime.every(p => p.offset === '40'), JSON.stringify(byTime))

  step('create, list, describe, alter, grow, delete')
  const topic = 'kafkajs-admin'
  await create(topic, 2, [{ name: 'retention.ms', value: '3600000' }])
  check((await admin.listTopics()).includes(topic), 'listTopics')
  const partitions = async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length
  const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
  const config = async name => (await admin.describeConfigs({ resources: [resource] })).resources[0].configEntries
    .find(entry => entry.configName === name).configValue
  check(await partitions() === 2, 'fetchTopicMetadata')
  check(await config('retention.ms') === '3600000', 'describeConfigs')
  // AlterConfigs replaces all overrides of the topic, so that retention.ms falls back to its default.
  await admin.alterConfigs({ resources: [{ ...resource, configEntries: [{ name: 'segment.bytes', value: '2097152' }] }] })
  await until('alterConfigs sets', async () => await config('segment.bytes') === '2097152')
  check(await config('retention.ms') === '604800000', 'alterConfigs replaces')
  await write(topic, corpus.slice(0, 10).map(row => ({ ...row, partition: 0 })), {}, CODECS.none)
  await admin.fetchTopicOffsets(topic) // deleteTopicRecords finds leaders only in metadata that was fetched before
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' }] })
  const low = async () => (await admin.fetchTopicOffsets(topic)).find(p => p.partition === 0).low
  await until('deleteTopicRecords', async () => await low().catch(() => null) === '4')
  await admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] })
  await until('createPartitions', async () => await partitions() === 5)
  check((await admin.describeCluster()).brokers.length === 1, 'describeCluster')
  check(await create(topic) === false, 'creating a topic twice')
  await admin.deleteTopics({ topics: [topic] })
  await until('the deleted topic is gone', async () => !(await admin.listTopics()).includes(topic))
}

async function main () {
  await admin.connect()
  await codecs()
  await groups()
  await administration()
  await admin.disconnect()
}

main().then(() => process.exit(0), error => {
  console.log('FAILED: ' + (error.stack || error), JSON.stringify(error.partitions || ''))
  process.exit(1)
})
