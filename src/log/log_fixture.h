// For tests of this layer: a simulated host with a disk, on which logs are opened, filled, crashed and opened again.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log_sink.h"
#include "io/sim/sim_world.h"
#include "log/partition_log.h"
#include "record/builder.h"
#include "record/control.h"

namespace stele::log {

inline constexpr base::TopicId kTestTopic{7, 7};

template <class T>
T must(base::Result<T> result) {
  return std::move(result).value();
}
inline void must(const base::Result<void>& result) { result.value(); }

struct CollectedLines final : base::LogSink {
  std::vector<std::string> lines;
  base::LogLevel least = base::LogLevel::kWarn;
  bool enabled(base::LogLevel level) const override { return level >= least; }
  void write(base::LogLevel, std::string_view line) override { lines.emplace_back(line); }
  bool mention(std::string_view what) const {
    for (const std::string& line : lines) {
      if (line.find(what) != std::string::npos) return true;
    }
    return false;
  }
};

struct BatchSpec {
  int records = 1;
  int64_t timestamp = 1'700'000'000'000;
  size_t value_bytes = 10;
  char fill = 'v';
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t sequence = -1;
  bool transactional = false;
  record::Codec codec = record::Codec::kNone;
  int64_t base_offset = 0;    // of batches that a replica appends
  int32_t leader_epoch = -1;  // the same
};

inline base::ByteVector make_batch(const BatchSpec& spec) {
  record::BatchBuilder builder({.base_offset = base::Offset{spec.base_offset},
                                .leader_epoch = base::LeaderEpoch{spec.leader_epoch},
                                .codec = spec.codec,
                                .producer_id = base::ProducerId{spec.producer_id},
                                .producer_epoch = base::ProducerEpoch{spec.producer_epoch},
                                .base_sequence = spec.sequence,
                                .is_transactional = spec.transactional});
  const std::string value(spec.value_bytes, spec.fill);
  for (int i = 0; i < spec.records; ++i) {
    builder.add(
        {.timestamp = base::Timestamp{spec.timestamp + i}, .key = {}, .value = base::as_bytes(value), .headers = {}});
  }
  return std::move(builder).build();
}

inline base::ByteVector make_marker(int64_t producer_id, int16_t epoch, bool commit, int32_t coordinator_epoch = 0) {
  return record::build_marker_batch({.timestamp = base::Timestamp{1'700'000'000'000}}, base::ProducerId{producer_id},
                                    base::ProducerEpoch{epoch}, {commit, coordinator_epoch});
}

// One open log, and the bytes of the batches that it has not written yet.
struct OpenLog {
  std::unique_ptr<PartitionLog> log;
  std::vector<base::ByteVector> bytes;

  base::Result<Appended> append(base::ByteVector batch, int32_t epoch = 0, Origin origin = Origin::kClient,
                                int64_t now = 1'700'000'000'000) {
    bytes.push_back(std::move(batch));
    return log->append({bytes.back(), base::LeaderEpoch{epoch}, origin, base::Timestamp{now}});
  }
  base::Result<Appended> append(const BatchSpec& spec, int32_t epoch = 0) { return append(make_batch(spec), epoch); }
  PartitionLog* operator->() const { return log.get(); }
};

class LogTest : public ::testing::Test {
 protected:
  explicit LogTest(uint64_t seed = 1)
      : world_({.seed = seed, .wall_start = base::Timestamp{1'700'000'000'000}, .log = &lines_}),
        host_(world_.add_host("a")) {}

  // Runs main(shard, *this or what else it needs) as the whole life of a process; the disk stays.
  template <class... Parameters, class... Arguments>
  void run(base::Task<void> (*main)(io::Shard&, Parameters...), Arguments&&... arguments) {
    bool ended = false;
    host_.start(1, [&](io::Shard& shard) { return wrap(main(shard, arguments...), ended); });
    EXPECT_TRUE(world_.run_until([&] { return ended; }, std::chrono::hours{1})) << "the test's task waits for ever";
    host_.crash();
  }

  static base::Task<void> wrap(base::Task<void> task, bool& ended) {
    co_await std::move(task);
    ended = true;
  }

  static base::Task<std::shared_ptr<io::Directory>> directory(io::Shard& shard) {
    auto opened = co_await shard.open_directory("/data", true);
    must(co_await must(co_await shard.open_directory("/", false))->sync());  // who makes a log dir keeps it
    co_return std::shared_ptr<io::Directory>{std::move(opened).value()};
  }

  struct How {
    LogOptions options = {};
    int64_t recovery_point = 0;
    int64_t log_start = 0;
    bool clean = false;
    std::string name = "t-0";
    LogObserver* observer = nullptr;
    std::shared_ptr<Journal> journal = nullptr;
    bool write_again = false;
  };
  static base::Task<base::Result<OpenLog>> try_open(io::Shard& shard, How how) {
    OpenArgs args;
    args.shard = &shard;
    args.log_dir = co_await directory(shard);
    args.name = how.name;
    args.topic_id = kTestTopic;
    args.options = how.options;
    args.recovery_point = base::Offset{how.recovery_point};
    args.log_start_offset = base::Offset{how.log_start};
    args.clean = how.clean;
    args.observer = how.observer;
    args.journal = std::move(how.journal);
    args.write_again = how.write_again;
    auto opened = co_await PartitionLog::open(std::move(args));
    if (!opened.ok()) co_return std::move(opened).error();
    OpenLog log;
    log.log = *std::move(opened);
    co_return log;
  }
  static base::Task<OpenLog> open(io::Shard& shard, How how) {
    auto opened = co_await try_open(shard, std::move(how));
    co_return std::move(opened).value();
  }

  CollectedLines lines_;
  io::SimWorld world_;
  io::SimHost& host_;
};

// All batches from `from` on, read one call after the other.
inline base::Task<std::vector<std::pair<int64_t, int64_t>>> offsets_of(PartitionLog& log, base::Offset from,
                                                                       size_t bytes_max = 1 << 20) {
  std::vector<std::pair<int64_t, int64_t>> found;
  for (;;) {
    auto read = co_await log.read(from, bytes_max, log.written_end(), true);
    const ReadResult result = std::move(read).value();
    if (result.batches.empty()) break;
    record::BatchReader reader(result.batches);
    for (;;) {
      const auto batch = reader.next().value();
      if (!batch) break;
      EXPECT_TRUE(batch->crc_valid());
      found.emplace_back(batch->base_offset().value(), batch->last_offset().value());
    }
    EXPECT_EQ(reader.end(), record::BatchEnd::kClean);
    EXPECT_GT(result.next_offset, from);
    from = result.next_offset;
  }
  co_return found;
}

}  // namespace stele::log
