// Administrators: create, grow, alter and delete topics, delete records; the set-up of a world; and its last scan.
#include <fmt/format.h>

#include "sim/swarm/stage.h"
#include "wire/create_partitions_request.h"
#include "wire/create_partitions_response.h"
#include "wire/create_topics_request.h"
#include "wire/create_topics_response.h"
#include "wire/delete_records_request.h"
#include "wire/delete_records_response.h"
#include "wire/delete_topics_request.h"
#include "wire/delete_topics_response.h"
#include "wire/incremental_alter_configs_request.h"
#include "wire/incremental_alter_configs_response.h"
#include "wire/metadata_request.h"
#include "wire/metadata_response.h"

namespace stele::sim::swarm {

namespace {

using base::ErrorCode;
using base::Task;

constexpr int16_t kMetadataVersion = 12;

bool expires(const config::ConfigMap& config) {
  return config.contains("retention.ms") || config.contains("retention.bytes");
}

// Where the answer to a creation was lost: asks whether the topic is there.
Task<void> look_for_topic(Stage& stage, Line& line, TopicPlan topic, base::Duration timeout) {
  wire::MetadataRequest request;
  request.allow_auto_topic_creation = false;
  request.topics->emplace_back().name = topic.name;
  const auto answer = co_await line.call<wire::MetadataResponse>(request, kMetadataVersion, timeout);
  if (!answer || answer->topics.empty()) co_return;
  const auto& found = answer->topics.front();
  if (found.error_code != 0 || stage.find(found.topic_id) != nullptr) co_return;
  const KnownTopic& added =
      stage.add_topic(topic.name, found.topic_id, static_cast<int32_t>(found.partitions.size()), topic.segment_bytes);
  stage.story_of(added).may_expire |= expires(topic.config);
}

class Admin {
 public:
  Admin(Stage& stage, io::Shard& shard, const ClientPlan& plan)
      : stage_(stage), shard_(shard), plan_(plan), random_(plan.seed) {}

  Task<void> run() {
    for (uint32_t done = 0; done < plan_.operations && !stage_.healed; ++done) {
      co_await pause(shard_, random_, plan_.think * 4);
      if (line_ == nullptr) line_ = co_await Line::connect(stage_, shard_, plan_.timeout);
      if (line_ != nullptr) co_await act();
    }
  }

 private:
  Task<void> act() {
    const uint64_t dice = random_.below(20);
    if (dice < 2) {
      co_await create();
      co_return;
    }
    KnownTopic* topic = stage_.any_topic(random_);
    if (topic == nullptr) co_return;
    const base::TopicId id = topic->id;
    if (dice < 12) {
      co_await delete_records(id);
    } else if (dice < 14) {
      co_await grow(id);
    } else if (dice < 18) {
      co_await alter(id);
    } else if (dice < 19) {
      co_await delete_topic(id);
    } else {
      line_.reset();  // leaves without a word
    }
  }

  Task<void> create() {
    TopicPlan topic;
    // A name that was there before, now and then.
    for (const KnownTopic& known : stage_.topics) {
      if (known.deleting && stage_.story_of(known).deleted != kNever && random_.below(2) == 0) topic.name = known.name;
    }
    if (topic.name.empty()) topic.name = fmt::format("more{}", ++stage_.topic_names);
    for (const KnownTopic& known : stage_.topics) {
      if (!known.deleting && known.name == topic.name) co_return;
    }
    topic.partitions = 1 + static_cast<int32_t>(random_.below(3));
    topic.segment_bytes = 512 << random_.below(6);
    topic.config["internal.segment.bytes"] = std::to_string(topic.segment_bytes);
    topic.config["index.interval.bytes"] = "100";
    co_await create_topic(stage_, *line_, topic, plan_.timeout);
  }

  Task<void> grow(base::TopicId id) {
    const KnownTopic* topic = stage_.find(id);
    const std::string name = topic->name;
    const int32_t count = topic->partitions + 1;
    if (count > 10) co_return;
    wire::CreatePartitionsRequest request;
    request.timeout_ms = 1000;
    auto& wanted = request.topics.emplace_back();
    wanted.name = name;
    wanted.count = count;
    wanted.assignments = std::nullopt;
    const auto answer = co_await line_->call<wire::CreatePartitionsResponse>(request, 3, plan_.timeout);
    if (!answer) line_.reset();
    if (!answer || answer->results.front().error_code != 0) co_return;
    KnownTopic* grown = stage_.find(id);
    if (grown->deleting) co_return;
    grown->partitions = std::max(grown->partitions, count);
    stage_.story_of(*grown).partitions = std::max(stage_.story_of(*grown).partitions, count);
    ++stage_.acknowledged;
  }

  Task<void> alter(base::TopicId id) {
    KnownTopic* topic = stage_.find(id);
    const std::string topic_name = topic->name;
    std::string name;
    std::string value;
    switch (random_.below(5)) {
      case 0:
        name = "internal.segment.bytes";
        value = std::to_string(256 << random_.below(8));
        break;
      case 1:
        name = "retention.bytes";
        value = std::to_string(512 << random_.below(8));
        stage_.story_of(*topic).may_expire = true;
        break;
      case 2:
        name = "retention.ms";
        value = std::to_string(500 << random_.below(6));
        stage_.story_of(*topic).may_expire = true;
        break;
      case 3:
        name = "stele.durability";
        value = random_.below(2) == 0 || stage_.plan.always_synced ? "synced" : "replicated";
        if (value == "replicated") stage_.story_of(*topic).synced = false;
        break;
      default:
        name = "index.interval.bytes";
        value = std::to_string(1 << random_.below(13));
    }
    wire::IncrementalAlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = 2;
    resource.resource_name = topic_name;
    auto& change = resource.configs.emplace_back();
    change.name = name;
    change.value = value;
    const auto answer = co_await line_->call<wire::IncrementalAlterConfigsResponse>(request, 1, plan_.timeout);
    if (!answer) line_.reset();
    if (answer) ++stage_.acknowledged;
  }

  Task<void> delete_records(base::TopicId id) {
    const KnownTopic* topic = stage_.find(id);
    const std::string name = topic->name;
    const Place place{topic->number, static_cast<int32_t>(random_.below(static_cast<uint64_t>(topic->partitions)))};
    const size_t index = stage_.history.trims.size();
    Trim trim{.span = {.invoked = stage_.history.tick()}, .place = place};
    // Up to an offset that somebody has seen.
    for (const Read& read : stage_.history.reads) {
      if (read.place == place && !read.records.empty()) trim.before = std::max(trim.before, read.records.back().offset);
    }
    for (const Send& send : stage_.history.sends) {
      if (send.place == place) trim.before = std::max(trim.before, send.base_offset);
    }
    trim.before = static_cast<int64_t>(random_.below(static_cast<uint64_t>(trim.before) + 1));
    const int64_t before = trim.before;
    stage_.history.trims.push_back(trim);
    wire::DeleteRecordsRequest request;
    request.timeout_ms = 1000;
    auto& wanted = request.topics.emplace_back();
    wanted.name = name;
    auto& part = wanted.partitions.emplace_back();
    part.partition_index = place.partition;
    part.offset = before;
    const auto answer = co_await line_->call<wire::DeleteRecordsResponse>(request, 2, plan_.timeout);
    if (!answer) {
      line_.reset();
      co_return;
    }
    const auto& got = answer->topics.front().partitions.front();
    Trim& told = stage_.history.trims[index];
    told.span.completed = stage_.history.tick();
    told.span.era = line_->era();
    told.outcome = got.error_code == 0 ? Outcome::kOk : Outcome::kFail;
    told.low_watermark = got.low_watermark;
    if (got.error_code == 0) ++stage_.acknowledged;
  }

  Task<void> delete_topic(base::TopicId id) {
    KnownTopic* topic = stage_.find(id);
    topic->deleting = true;
    Topic& told = stage_.story_of(*topic);
    told.delete_invoked = stage_.history.tick();
    wire::DeleteTopicsRequest request;
    request.timeout_ms = 1000;
    request.topics.emplace_back().topic_id = id;
    const auto answer = co_await line_->call<wire::DeleteTopicsResponse>(request, 6, plan_.timeout);
    if (!answer) line_.reset();
    if (!answer || answer->responses.front().error_code != 0) co_return;
    stage_.story_of(*stage_.find(id)).deleted = stage_.history.tick();
    ++stage_.acknowledged;
  }

  Stage& stage_;
  io::Shard& shard_;
  const ClientPlan& plan_;
  base::SeededRandom random_;
  std::unique_ptr<Line> line_;
};

}  // namespace

Task<Outcome> create_topic(Stage& stage, Line& line, TopicPlan topic, base::Duration timeout) {
  const auto durability = topic.config.find("stele.durability");
  stage.numbers.announce(topic.name,
                         durability == topic.config.end() ? stage.history.synced : durability->second == "synced");
  wire::CreateTopicsRequest request;
  request.timeout_ms = 10'000;
  auto& wanted = request.topics.emplace_back();
  wanted.name = topic.name;
  wanted.num_partitions = topic.partitions;
  wanted.replication_factor = 1;
  for (const auto& [name, value] : topic.config) {
    auto& config = wanted.configs.emplace_back();
    config.name = name;
    config.value = value;
  }
  const auto answer = co_await line.call<wire::CreateTopicsResponse>(request, 7, timeout);
  if (!answer) co_return Outcome::kInfo;
  const auto& got = answer->topics.front();
  if (static_cast<ErrorCode>(got.error_code) == ErrorCode::kTopicAlreadyExists) {
    co_await look_for_topic(stage, line, std::move(topic), timeout);
    co_return Outcome::kOk;
  }
  if (got.error_code != 0) {
    const auto code = static_cast<ErrorCode>(got.error_code);
    // stele.partitions.max has room for those of the set-up.
    const bool is_set_up = stage.topics.size() >= stage.plan.topics.size();
    const bool full = code == ErrorCode::kPolicyViolation && is_set_up && stage.plan.story >= 3;
    if (code != ErrorCode::kKafkaStorageError && !full) {
      stage.odd(fmt::format("topic {} was refused: {}", topic.name, base::error_name(code)));
    }
    co_return Outcome::kFail;
  }
  const KnownTopic& added = stage.add_topic(topic.name, got.topic_id, topic.partitions, topic.segment_bytes);
  stage.story_of(added).may_expire |= expires(topic.config);
  ++stage.acknowledged;
  co_return Outcome::kOk;
}

Task<void> set_up(Stage& stage, io::Shard& shard) {
  constexpr base::Duration kPatience = std::chrono::seconds{20};
  std::unique_ptr<Line> line;
  for (const TopicPlan& topic : stage.plan.topics) {
    Outcome outcome = Outcome::kInfo;
    while (outcome == Outcome::kInfo) {
      while (line == nullptr) {
        line = co_await Line::connect(stage, shard, kPatience);
        if (line == nullptr) co_await io::sleep_until(shard, shard.clock().now() + std::chrono::milliseconds{20});
      }
      outcome = co_await create_topic(stage, *line, topic, kPatience);
      if (outcome == Outcome::kInfo) line.reset();
    }
  }
}

Task<void> run_admin(Stage& stage, io::Shard& shard, const ClientPlan& plan, uint32_t) {
  Admin admin(stage, shard, plan);
  co_await admin.run();
}

}  // namespace stele::sim::swarm
