// The last look at everything: which topics there are, every record of every partition, every committed offset.
#include <fmt/format.h>

#include <algorithm>

#include "broker/coordinator_host.h"
#include "sim/swarm/stage.h"
#include "wire/fetch_request.h"
#include "wire/fetch_response.h"
#include "wire/list_offsets_request.h"
#include "wire/list_offsets_response.h"
#include "wire/metadata_request.h"
#include "wire/metadata_response.h"

namespace stele::sim::swarm {

namespace {

using base::Task;

constexpr base::Duration kPatience = std::chrono::seconds{30};

class Scan {
 public:
  Scan(Stage& stage, io::Shard& shard) : stage_(stage), shard_(shard) {}

  Task<void> run() {
    co_await connect();
    co_await look_at_topics();
    for (const auto& [topic, partitions] : there_) {
      for (int32_t i = 0; i < partitions; ++i) co_await read_partition(topic, i);
    }
    for (int32_t group = 0; group < kGroups; ++group) {
      for (const auto& [topic, partitions] : there_) co_await read_commits(group, topic);
    }
  }

 private:
  Task<void> connect() {
    line_.reset();
    while (true) {
      line_ = co_await Line::connect(stage_, shard_, kPatience);
      if (line_ != nullptr) co_return;
      co_await io::sleep_until(shard_, shard_.clock().now() + std::chrono::milliseconds{50});
    }
  }

  // An answer, on a new connection where the old one ends (it may have idled too long).
  template <class Response, class Request>
  Task<Answer<Response>> ask(const Request& request, int16_t version) {
    while (true) {
      auto answer = co_await line_->call<Response>(request, version, kPatience);
      if (answer) co_return answer;
      co_await connect();
    }
  }

  Task<void> look_at_topics() {
    for (Topic& topic : stage_.history.topics) topic.there_at_end = false;
    wire::MetadataRequest request;
    request.topics = std::nullopt;
    request.allow_auto_topic_creation = false;
    const Moment invoked = stage_.history.tick();
    const auto answer = co_await ask<wire::MetadataResponse>(request, 12);
    note_epochs(stage_, *answer.message, {invoked, stage_.history.tick(), line_->era()});
    for (const auto& topic : answer->topics) {
      if (topic.is_internal) continue;
      const std::string name{topic.name.value_or("")};
      const int32_t number = stage_.numbers.number_of(topic.topic_id, name);
      Topic& told = stage_.history.topics.at(static_cast<size_t>(number));
      told.there_at_end = true;
      told.partitions_at_end = static_cast<int32_t>(topic.partitions.size());
      there_.emplace_back(KnownTopic{.number = number, .name = name, .id = topic.topic_id}, told.partitions_at_end);
    }
  }

  // A deletion that nobody waited for may come through any time.
  bool may_be_gone(const KnownTopic& topic) { return stage_.story_of(topic).delete_invoked != kNever; }

  Task<int64_t> bound(KnownTopic topic, int32_t partition, bool latest) {
    for (int tries = 0; tries < 100; ++tries) {
      wire::ListOffsetsRequest request;
      request.replica_id = -1;
      auto& wanted = request.topics.emplace_back();
      wanted.name = topic.name;
      auto& part = wanted.partitions.emplace_back();
      part.partition_index = partition;
      part.timestamp = latest ? -1 : -2;
      const Moment invoked = stage_.history.tick();
      const auto answer = co_await ask<wire::ListOffsetsResponse>(request, 7);
      const auto& got = answer->topics.front().partitions.front();
      if (got.error_code == 0) {
        stage_.history.bounds.push_back({.span = {invoked, stage_.history.tick(), line_->era()},
                                         .place = {topic.number, partition},
                                         .latest = latest,
                                         .offset = got.offset,
                                         .leader_epoch = got.leader_epoch});
        co_return got.offset;
      }
      last_error_ = got.error_code;
      if (may_be_gone(topic)) co_return -1;
      co_await io::sleep_until(shard_, shard_.clock().now() + std::chrono::milliseconds{100});
    }
    stage_.odd(fmt::format("{}-{} cannot be asked for its ends: {}", topic.name, partition,
                           base::error_name(static_cast<base::ErrorCode>(last_error_))));
    co_return -1;
  }

  Task<void> read_partition(KnownTopic topic, int32_t partition) {
    const int64_t end = co_await bound(topic, partition, true);
    int64_t next = co_await bound(topic, partition, false);
    if (end < 0 || next < 0) co_return;
    int refused = 0;
    do {
      Read read = co_await fetch(topic, partition, next);
      if (read.code == 1 && refused++ < 20) {
        next = co_await bound(topic, partition, false);  // a retention deleted it meanwhile
        continue;
      }
      if (read.code != 0 || !read.damage.empty() || (read.records.empty() && next < end)) {
        if (read.code == 0 && read.damage.empty())
          read.damage = fmt::format("nothing at {}, before the end {}", next, end);
        if (read.code != 0 && may_be_gone(topic)) co_return;
        if (read.code != 0) {
          stage_.odd(fmt::format("the last scan of {}-{} at {}: {}", topic.name, partition, next,
                                 base::error_name(static_cast<base::ErrorCode>(read.code))));
        }
        stage_.history.reads.push_back(std::move(read));
        co_return;
      }
      if (!read.records.empty()) next = read.records.back().offset + 1;
      stage_.history.reads.push_back(std::move(read));
    } while (next < end);
  }

  Task<Read> fetch(KnownTopic topic, int32_t partition, int64_t from) {
    wire::FetchRequest request;
    request.max_bytes = 1 << 20;
    auto& wanted = request.topics.emplace_back();
    wanted.topic_id = topic.id;
    auto& part = wanted.partitions.emplace_back();
    part.partition = partition;
    part.fetch_offset = from;
    part.partition_max_bytes = 1 << 18;
    Read read{.span = {.invoked = stage_.history.tick()},
              .place = {topic.number, partition},
              .from = from,
              .damage = {},
              .records = {},
              .final_scan = true};
    const auto answer = co_await ask<wire::FetchResponse>(request, 16);
    read.span.completed = stage_.history.tick();
    read.span.era = line_->era();
    read.code = answer->error_code;
    if (answer->responses.empty()) co_return read;
    const auto& got = answer->responses.front().partitions.front();
    if (got.error_code != 0) read.code = got.error_code;
    read.high_watermark = got.high_watermark;
    read.log_start = got.log_start_offset;
    if (got.records) read.records = decode(*got.records, from, read.damage);
    co_return read;
  }

  Task<void> read_commits(int32_t group, KnownTopic topic) {
    bool asked = false;
    for (const Commit& commit : stage_.history.commits) {
      asked |= commit.group == group && commit.place.topic == topic.number;
    }
    if (!asked) co_return;
    // stele.partitions.max may have left no room for it: then no commit was ever taken.
    const auto is_offsets = [](const Topic& known) { return known.name == broker::kOffsetsTopic; };
    if (std::ranges::none_of(stage_.history.topics, is_offsets)) co_return;
    topic.partitions = stage_.history.topics.at(static_cast<size_t>(topic.number)).partitions_at_end;
    int16_t code = 0;
    for (int tries = 0; tries < 200; ++tries) {
      if (co_await fetch_offsets(stage_, *line_, group, topic, kPatience, code)) co_return;
      if (code == -1) co_await connect();
      co_await io::sleep_until(shard_, shard_.clock().now() + std::chrono::milliseconds{100});
    }
    stage_.odd(fmt::format("the offsets of group {} cannot be fetched: {}", group,
                           base::error_name(static_cast<base::ErrorCode>(code))));
  }

  Stage& stage_;
  io::Shard& shard_;
  std::unique_ptr<Line> line_;
  std::vector<std::pair<KnownTopic, int32_t>> there_;
  int16_t last_error_ = 0;
};

}  // namespace

Task<void> scan_all(Stage& stage, io::Shard& shard) {
  Scan scan(stage, shard);
  co_await scan.run();
}

}  // namespace stele::sim::swarm
