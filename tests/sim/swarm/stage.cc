#include "sim/swarm/stage.h"

#include "base/crc32c.h"
#include "record/reader.h"

namespace stele::sim::swarm {

namespace {

void end_on_fault(std::exception_ptr fault) { std::rethrow_exception(fault); }

struct Connecting {
  explicit Connecting(base::Executor& executor) : done(executor) {}
  base::Signal done;
  std::unique_ptr<Client> client;
};

base::Task<void> dial(io::Shard& shard, std::shared_ptr<Connecting> state) {
  auto client = co_await Client::connect(shard);
  state->client = std::move(client);
  state->done.set();
}

}  // namespace

KnownTopic* Stage::any_topic(base::Random& random) {
  std::vector<KnownTopic*> there;
  for (KnownTopic& topic : topics) {
    if (!topic.deleting) there.push_back(&topic);
  }
  return there.empty() ? nullptr : there[random.below(there.size())];
}

KnownTopic* Stage::find(const base::TopicId& id) {
  for (KnownTopic& topic : topics) {
    if (topic.id == id) return &topic;
  }
  return nullptr;
}

KnownTopic& Stage::add_topic(std::string name, const base::TopicId& id, int32_t partitions, int64_t segment_bytes) {
  KnownTopic topic{.number = numbers.number_of(id, name),
                   .name = std::move(name),
                   .id = id,
                   .partitions = partitions,
                   .segment_bytes = segment_bytes};
  Topic& story = story_of(topic);
  story.created = std::min(story.created, history.tick());
  story.partitions = std::max(story.partitions, partitions);
  topics.push_back(std::move(topic));
  return topics.back();
}

Line::Line(io::Shard& shard, std::unique_ptr<Client> client, uint32_t era, uint32_t number)
    : shard_(shard),
      client_(std::move(client)),
      era_(era),
      number_(number),
      timer_(shard.make_timer()),
      late_(shard.executor()),
      scope_(shard.executor(), end_on_fault) {
  scope_.spawn(hang_up_when_late());
}

base::Task<void> Line::hang_up_when_late() {
  co_await late_.wait();
  client_->hang_up();
}

base::Task<std::unique_ptr<Line>> Line::connect(Stage& stage, io::Shard& shard, base::Duration timeout) {
  auto state = std::make_shared<Connecting>(shard.executor());
  base::TaskScope dialling{shard.executor(), end_on_fault};
  dialling.spawn(dial(shard, state));
  const auto timer = shard.make_timer();
  timer->arm(shard.clock().now() + timeout, state->done);
  co_await state->done.wait();
  timer->disarm();
  if (state->client == nullptr) co_return nullptr;
  co_return std::make_unique<Line>(shard, std::move(state->client), stage.era(), ++stage.lines);
}

base::Task<bool> Line::send(base::ByteVector frame, base::Duration timeout) {
  timer_->arm(shard_.clock().now() + timeout, late_);
  const bool sent = co_await client_->send(std::move(frame));
  timer_->disarm();
  co_return sent;
}

base::Task<void> pause(io::Shard& shard, base::Random& random, base::Duration mean) {
  const auto longest = static_cast<uint64_t>(std::max<int64_t>(1, mean.count() * 2));
  co_await io::sleep_until(shard, shard.clock().now() + base::Duration{static_cast<int64_t>(random.below(longest))});
}

Value make_value(uint32_t number, size_t size, base::Random& random) {
  Value value;
  value.bytes.resize(std::max<size_t>(4, size));
  auto* bytes = reinterpret_cast<std::byte*>(value.bytes.data());
  base::store_be(bytes, number);
  const uint64_t pattern = random.next();
  for (size_t i = 4; i < value.bytes.size(); ++i) bytes[i] = static_cast<std::byte>(pattern >> (i % 4 * 8));
  value.mark = mark_of({bytes, value.bytes.size()});
  return value;
}

RecordMark mark_of(base::Bytes value) {
  if (value.size() < 4) return 0;
  return static_cast<RecordMark>(base::load_be<uint32_t>(value.data())) << 32 | base::crc32c(value);
}

base::ByteVector encode(const ModelBatch& batch, base::Timestamp now) {
  record::BatchBuilder builder({.codec = batch.codec,
                                .producer_id = base::ProducerId{batch.producer_id},
                                .producer_epoch = base::ProducerEpoch{batch.producer_epoch},
                                .base_sequence = batch.sequence});
  for (const Value& value : batch.values) builder.add({.timestamp = now, .value = base::as_bytes(value.bytes)});
  return std::move(builder).build();
}

std::vector<SeenRecord> decode(base::Bytes records, int64_t from, std::string& damage) {
  std::vector<SeenRecord> seen;
  record::BatchReader batches{records};
  while (true) {
    const auto batch = batches.next();
    if (!batch.ok()) damage = batch.error().message;
    if (!batch.ok() || !*batch) return seen;
    if (!(*batch)->crc_valid()) {
      damage = fmt::format("the batch at offset {} fails its checksum", (*batch)->base_offset().value());
      return seen;
    }
    record::Decompressor decompressor;
    record::RecordReader reader{**batch, decompressor};
    while (true) {
      const auto record = reader.next();
      if (!record.ok()) damage = record.error().message;
      if (!record.ok()) return seen;
      if (!*record) break;
      if ((*record)->offset.value() < from) continue;
      seen.push_back({(*record)->offset.value(), mark_of((*record)->value.value_or(base::Bytes{})),
                      (*batch)->leader_epoch().value(), (*record)->timestamp.value()});
    }
  }
}

void note_epochs(Stage& stage, const wire::MetadataResponse& answer, Span span) {
  for (const auto& topic : answer.topics) {
    const KnownTopic* known = stage.find(topic.topic_id);
    if (known == nullptr) continue;
    for (const auto& part : topic.partitions) {
      if (part.leader_epoch < 0) continue;
      stage.history.epochs.push_back(
          {.span = span, .place = {known->number, part.partition_index}, .leader_epoch = part.leader_epoch});
    }
  }
}

std::string group_name(int32_t group) { return fmt::format("g{}", group); }

}  // namespace stele::sim::swarm
