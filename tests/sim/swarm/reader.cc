// A consumer without a group: follows a topic, now and then looks again at what it has read, in fetch sessions or
// without.
#include <fmt/format.h>

#include "io/sim/sim_world.h"
#include "sim/swarm/stage.h"
#include "wire/fetch_request.h"
#include "wire/fetch_response.h"
#include "wire/list_offsets_request.h"
#include "wire/list_offsets_response.h"
#include "wire/metadata_request.h"
#include "wire/offset_for_leader_epoch_request.h"
#include "wire/offset_for_leader_epoch_response.h"

namespace stele::sim::swarm {

namespace {

using base::ErrorCode;
using base::Task;

constexpr int16_t kListVersion = 7;
constexpr int16_t kMetadataVersion = 12;
constexpr int16_t kEpochVersion = 4;
constexpr int64_t kWallStart = io::SimOptions{}.wall_start.value();

class Reader {
 public:
  Reader(Stage& stage, io::Shard& shard, const ClientPlan& plan, uint32_t number)
      : stage_(stage),
        shard_(shard),
        plan_(plan),
        number_(number),
        random_(plan.seed),
        metadata_(news_of(plan, 1)),
        lookups_(news_of(plan, 4)) {}

  Task<void> run() {
    for (uint32_t done = 0; done < plan_.operations && !stage_.healed;) {
      if (line_ == nullptr) {
        session_ = 0;
        line_ = co_await Line::connect(stage_, shard_, plan_.timeout);
        if (line_ == nullptr) {
          co_await pause(shard_, random_, std::chrono::milliseconds{30});
          continue;
        }
      }
      choose_topic();
      ++done;
      if (topic_ == nullptr) {
        co_await pause(shard_, random_, plan_.think);
      } else if (stage_.plan.story >= 2 && metadata_.below(10) == 0) {
        co_await ask_metadata();
      } else if (stage_.plan.story >= 4 && lookups_.below(6) == 0) {
        const auto partition = static_cast<int32_t>(lookups_.below(static_cast<uint64_t>(topic_->partitions)));
        if (lookups_.below(2) == 0) {
          co_await look_up_time(partition);
        } else {
          co_await look_up_epoch(partition);
        }
      } else if (random_.below(10) == 0) {
        co_await ask_bound();
      } else {
        co_await fetch();
        if (random_.below(3) == 0) co_await pause(shard_, random_, plan_.think);
      }
    }
  }

 private:
  void choose_topic() {
    const bool gone = topic_id_ && (stage_.find(*topic_id_) == nullptr || stage_.find(*topic_id_)->deleting);
    if (!topic_id_ || gone || random_.below(30) == 0) {
      const KnownTopic* chosen = stage_.any_topic(random_);
      topic_id_ = chosen != nullptr ? std::optional{chosen->id} : std::nullopt;
      next_.clear();
      line_session_ends();
    }
    topic_ = topic_id_ ? stage_.find(*topic_id_) : nullptr;
    if (topic_ == nullptr) return;
    for (int32_t i = 0; i < topic_->partitions; ++i) next_.try_emplace(i, 0);
    if (random_.below(12) == 0) {
      auto& at = next_[static_cast<int32_t>(random_.below(static_cast<uint64_t>(topic_->partitions)))];
      at = static_cast<int64_t>(random_.below(static_cast<uint64_t>(at) + 1));
    }
  }

  void line_session_ends() { session_ = 0; }

  wire::FetchRequest make_request() {
    wire::FetchRequest request;
    request.max_wait_ms = random_.below(2) == 0 ? 0 : static_cast<int32_t>(random_.below(300));
    request.min_bytes = random_.below(3) == 0 ? static_cast<int32_t>(random_.below(4000)) : 1;
    request.max_bytes = random_.below(2) == 0 ? 1 << 20 : static_cast<int32_t>(1 + random_.below(5000));
    request.session_epoch = -1;
    if (plan_.sessions) {
      request.session_id = session_;
      request.session_epoch = session_ == 0 ? 0 : session_epoch_;
    }
    const bool whole = session_ == 0 || !plan_.sessions;
    if (whole) sent_.clear();
    wire::FetchRequest::FetchTopic wanted;
    wanted.topic_id = *topic_id_;
    for (const auto& [partition, offset] : next_) {
      if (const auto at = sent_.find(partition); at != sent_.end() && at->second == offset) continue;
      auto& part = wanted.partitions.emplace_back();
      part.partition = partition;
      part.fetch_offset = offset;
      part.partition_max_bytes = random_.below(3) == 0 ? static_cast<int32_t>(random_.below(2000)) : 1 << 16;
      sent_[partition] = offset;
    }
    if (!wanted.partitions.empty()) request.topics.push_back(std::move(wanted));
    return request;
  }

  Task<void> fetch() {
    const auto version = static_cast<int16_t>(13 + random_.below(5));
    const wire::FetchRequest request = make_request();
    const Moment invoked = stage_.history.tick();
    const auto answer =
        co_await line_->call<wire::FetchResponse>(request, version, plan_.timeout + std::chrono::milliseconds{500});
    if (!answer) {
      line_.reset();
      co_return;
    }
    if (answer->error_code != 0) {
      note_refusal(answer->error_code);
      session_ = 0;
      co_return;
    }
    if (plan_.sessions) {
      session_epoch_ = session_ == answer->session_id && session_ != 0 ? session_epoch_ + 1 : 1;
      session_ = answer->session_id;
    }
    const uint32_t era = line_->era();
    for (const auto& topic : answer->responses) {
      for (const auto& part : topic.partitions)
        co_await take(topic.topic_id, part, {invoked, stage_.history.tick(), era});
    }
  }

  void note_refusal(int16_t code) {
    switch (static_cast<ErrorCode>(code)) {
      case ErrorCode::kFetchSessionIdNotFound:
      case ErrorCode::kInvalidFetchSessionEpoch:
      case ErrorCode::kFetchSessionTopicIdError:
      case ErrorCode::kUnknownTopicId:
        return;
      default:
        stage_.odd(fmt::format("a fetch was answered with {}", base::error_name(static_cast<ErrorCode>(code))));
    }
  }

  Task<void> take(base::TopicId id, const wire::FetchResponse::PartitionData& part, Span span) {
    const KnownTopic* topic = stage_.find(id);
    if (topic == nullptr || !topic_id_ || id != *topic_id_ || !sent_.contains(part.partition_index)) {
      stage_.odd(fmt::format("a fetch was answered with partition {} of topic id {}, which it did not ask for",
                             part.partition_index, id.to_string()));
      co_return;
    }
    const Place place{topic->number, part.partition_index};
    Read read{.span = span,
              .place = place,
              .client = number_,
              .from = sent_[part.partition_index],
              .code = part.error_code,
              .high_watermark = part.high_watermark,
              .log_start = part.log_start_offset,
              .damage = {},
              .records = {}};
    if (part.records) read.records = decode(*part.records, read.from, read.damage);
    int64_t& next = next_[part.partition_index];
    if (!read.records.empty()) next = read.records.back().offset + 1;
    const auto code = static_cast<ErrorCode>(part.error_code);
    if (code == ErrorCode::kNone || code == ErrorCode::kOffsetOutOfRange) {
      stage_.history.reads.push_back(std::move(read));
      ++stage_.acknowledged;
    }
    if (code == ErrorCode::kOffsetOutOfRange) {
      // As auto.offset.reset does it, to either end.
      const auto bound = co_await ask(part.partition_index, random_.below(4) == 0);
      if (bound) next = *bound;
    } else if (code != ErrorCode::kNone && code != ErrorCode::kUnknownTopicOrPartition &&
               code != ErrorCode::kUnknownTopicId && code != ErrorCode::kNotLeaderOrFollower &&
               code != ErrorCode::kKafkaStorageError && code != ErrorCode::kInconsistentTopicId &&
               code != ErrorCode::kLeaderNotAvailable &&
               (code != ErrorCode::kCorruptMessage || stage_.plan.flipped_read == 0)) {
      stage_.odd(fmt::format("a fetch was answered with {}", base::error_name(code)));
    }
  }

  Task<void> ask_metadata() {
    wire::MetadataRequest request;
    request.topics = std::nullopt;
    request.allow_auto_topic_creation = false;
    const Moment invoked = stage_.history.tick();
    const auto answer = co_await line_->call<wire::MetadataResponse>(request, kMetadataVersion, plan_.timeout);
    if (answer) {
      note_epochs(stage_, *answer.message, {invoked, stage_.history.tick(), line_->era()});
      ++stage_.acknowledged;
    } else {
      line_.reset();
    }
  }

  // Both ask by name: once the topic is being deleted, another of that name may have answered.
  bool is_answer_of(const base::TopicId& id) {
    const KnownTopic* topic = stage_.find(id);
    return topic != nullptr && !topic->deleting;
  }

  Task<void> look_up_time(int32_t partition) {
    const base::TopicId id = *topic_id_;
    const std::string name = topic_->name;
    TimeLookup lookup{.span = {}, .place = {topic_->number, partition}};
    const int64_t past = shard_.clock().wall().value() - kWallStart;
    lookup.asked =
        kWallStart + static_cast<int64_t>(lookups_.below(static_cast<uint64_t>(std::max<int64_t>(past, 0)) + 2));
    wire::ListOffsetsRequest request;
    request.replica_id = -1;
    auto& wanted = request.topics.emplace_back();
    wanted.name = name;
    auto& part = wanted.partitions.emplace_back();
    part.partition_index = partition;
    part.timestamp = lookup.asked;
    lookup.span.invoked = stage_.history.tick();
    const auto answer = co_await line_->call<wire::ListOffsetsResponse>(request, kListVersion, plan_.timeout);
    if (!answer) {
      line_.reset();
      co_return;
    }
    const auto& got = answer->topics.front().partitions.front();
    if (got.error_code != 0 || !is_answer_of(id)) co_return;
    lookup.span.completed = stage_.history.tick();
    lookup.span.era = line_->era();
    lookup.timestamp = got.timestamp;
    lookup.offset = got.offset;
    stage_.history.time_lookups.push_back(lookup);
    ++stage_.acknowledged;
  }

  Task<void> look_up_epoch(int32_t partition) {
    const base::TopicId id = *topic_id_;
    const std::string name = topic_->name;
    EpochLookup lookup{.span = {}, .place = {topic_->number, partition}};
    lookup.asked = static_cast<int32_t>(lookups_.below(lookups_.below(2) == 0 ? 3 : 2 * stage_.era() + 3));
    wire::OffsetForLeaderEpochRequest request;
    request.replica_id = -1;
    auto& wanted = request.topics.emplace_back();
    wanted.topic = name;
    wanted.partitions.push_back({.partition = partition, .leader_epoch = lookup.asked});
    lookup.span.invoked = stage_.history.tick();
    const auto answer = co_await line_->call<wire::OffsetForLeaderEpochResponse>(request, kEpochVersion, plan_.timeout);
    if (!answer) {
      line_.reset();
      co_return;
    }
    const auto& got = answer->topics.front().partitions.front();
    if (got.error_code != 0 || !is_answer_of(id)) co_return;
    lookup.span.completed = stage_.history.tick();
    lookup.span.era = line_->era();
    lookup.epoch = got.leader_epoch;
    lookup.end = got.end_offset;
    stage_.history.epoch_lookups.push_back(lookup);
    ++stage_.acknowledged;
  }

  Task<void> ask_bound() {
    const auto partition = static_cast<int32_t>(random_.below(static_cast<uint64_t>(topic_->partitions)));
    co_await ask(partition, random_.below(2) == 0);
  }

  Task<std::optional<int64_t>> ask(int32_t partition, bool latest) {
    if (line_ == nullptr || topic_id_ == std::nullopt) co_return std::nullopt;
    const KnownTopic* topic = stage_.find(*topic_id_);
    if (topic == nullptr) co_return std::nullopt;
    const Place place{topic->number, partition};
    const std::string name = topic->name;
    wire::ListOffsetsRequest request;
    request.replica_id = -1;
    auto& wanted = request.topics.emplace_back();
    wanted.name = name;
    auto& part = wanted.partitions.emplace_back();
    part.partition_index = partition;
    part.timestamp = latest ? -1 : -2;
    const Moment invoked = stage_.history.tick();
    const auto answer = co_await line_->call<wire::ListOffsetsResponse>(request, kListVersion, plan_.timeout);
    if (!answer) {
      line_.reset();
      co_return std::nullopt;
    }
    const auto& got = answer->topics.front().partitions.front();
    if (got.error_code != 0) co_return std::nullopt;
    // It asks by name: once the topic is being deleted, another of that name may have answered.
    topic = stage_.find(*topic_id_);
    if (topic == nullptr || topic->deleting) co_return std::nullopt;
    stage_.history.bounds.push_back({.span = {invoked, stage_.history.tick(), line_->era()},
                                     .place = place,
                                     .latest = latest,
                                     .offset = got.offset,
                                     .leader_epoch = got.leader_epoch});
    co_return got.offset;
  }

  Stage& stage_;
  io::Shard& shard_;
  const ClientPlan& plan_;
  const uint32_t number_;
  base::SeededRandom random_;
  base::SeededRandom metadata_;
  base::SeededRandom lookups_;
  std::unique_ptr<Line> line_;
  std::optional<base::TopicId> topic_id_;
  const KnownTopic* topic_ = nullptr;  // looked up anew for each operation
  std::map<int32_t, int64_t> next_;    // where to read on
  std::map<int32_t, int64_t> sent_;    // what the session was last told
  int32_t session_ = 0;
  int32_t session_epoch_ = 0;
};

}  // namespace

Task<void> run_reader(Stage& stage, io::Shard& shard, const ClientPlan& plan, uint32_t number) {
  Reader reader(stage, shard, plan, number);
  co_await reader.run();
}

}  // namespace stele::sim::swarm
