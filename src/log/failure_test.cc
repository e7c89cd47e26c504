// Disks that fail, and what goes together in one write or one sync.
#include "log/log_fixture.h"
#include "log/producer_snapshot.h"

namespace stele::log {
namespace {

using base::Error;
using base::ErrorCode;
using base::Offset;
using base::Result;
using base::Task;

struct Disk {
  int writes = 0;
  int syncs = 0;
  bool fail_writes = false;
  bool fail_syncs = false;
  int os_error = EIO;
};

Error broken(const Disk& disk) { return {ErrorCode::kKafkaStorageError, "the disk is broken", disk.os_error}; }

class CountedFile final : public io::File {
 public:
  CountedFile(std::unique_ptr<io::File> inner, Disk& disk) : inner_(std::move(inner)), disk_(disk) {}
  Task<Result<void>> write(uint64_t offset, std::span<const iovec> from) override {
    ++disk_.writes;
    if (!disk_.fail_writes) co_return co_await inner_->write(offset, from);
    must(co_await inner_->write(offset, from.first(1)));  // a part of it is there
    co_return broken(disk_);
  }
  Task<Result<size_t>> read(uint64_t offset, base::MutableBytes into) override { return inner_->read(offset, into); }
  Result<size_t> try_read(uint64_t offset, base::MutableBytes into) override { return inner_->try_read(offset, into); }
  Task<Result<void>> sync() override {
    ++disk_.syncs;
    if (disk_.fail_syncs) co_return broken(disk_);
    co_return co_await inner_->sync();
  }
  Task<Result<void>> truncate(uint64_t size) override { return inner_->truncate(size); }
  Result<uint64_t> size() const override { return inner_->size(); }

 private:
  std::unique_ptr<io::File> inner_;
  Disk& disk_;
};

class CountedDirectory final : public io::Directory {
 public:
  CountedDirectory(std::shared_ptr<io::Directory> inner, Disk& disk) : inner_(std::move(inner)), disk_(disk) {}
  Task<Result<std::unique_ptr<io::File>>> open(std::string path, io::OpenMode mode) override {
    STELE_CO_TRY_ASSIGN(std::unique_ptr<io::File> file, co_await inner_->open(path, mode));
    if (!path.ends_with(kLogSuffix)) co_return file;
    co_return std::unique_ptr<io::File>{std::make_unique<CountedFile>(std::move(file), disk_)};
  }
  Task<Result<std::unique_ptr<io::Directory>>> open_directory(std::string path, bool create) override {
    return inner_->open_directory(std::move(path), create);
  }
  Task<Result<std::vector<io::Entry>>> list(std::string path) override { return inner_->list(std::move(path)); }
  Task<Result<void>> rename(std::string from, std::string to) override {
    return inner_->rename(std::move(from), std::move(to));
  }
  Task<Result<void>> remove(std::string path) override { return inner_->remove(std::move(path)); }
  Task<Result<void>> remove_tree(std::string path) override { return inner_->remove_tree(std::move(path)); }
  Task<Result<void>> sync(std::string path) override { return inner_->sync(std::move(path)); }
  Task<Result<void>> sync_all() override { return inner_->sync_all(); }
  Result<std::unique_ptr<io::FileLock>> lock(std::string path) override { return inner_->lock(std::move(path)); }
  Result<io::Space> space() const override { return inner_->space(); }
  const std::string& path() const override { return inner_->path(); }

 private:
  std::shared_ptr<io::Directory> inner_;
  Disk& disk_;
};

struct Told final : LogObserver {
  int counted = 0;
  int failed = 0;
  void on_counted(PartitionLog&) override { ++counted; }
  void on_failed(PartitionLog&, const Error&) override { ++failed; }
};

class FailureTest : public LogTest {
 protected:
  static Task<OpenLog> open_on(io::Shard& shard, Disk& disk, Told& told, LogOptions options = {}) {
    OpenArgs args;
    args.shard = &shard;
    args.log_dir = std::make_shared<CountedDirectory>(co_await directory(shard), disk);
    args.name = "t-0";
    args.topic_id = kTestTopic;
    args.observer = &told;
    args.options = options;
    OpenLog log;
    log.log = must(co_await PartitionLog::open(std::move(args)));
    log->begin_epoch(base::LeaderEpoch{0});
    must(co_await log->flush());  // what is new is written now, not with the first append
    disk = {};
    co_return log;
  }
};

TEST_F(FailureTest, appends_of_one_turn_go_in_one_write_and_one_sync) {
  run(+[](io::Shard& shard) -> Task<void> {
    Disk disk;
    Told told;
    OpenLog log = co_await open_on(shard, disk, told);
    for (int i = 0; i < 20; ++i) must(log.append({.records = 1}));
    must(co_await log->wait_synced(Offset{19}));
    EXPECT_EQ(disk.writes, 1);
    EXPECT_EQ(disk.syncs, 1);
    EXPECT_EQ(told.counted, 1);
    EXPECT_EQ(log->synced_end(), Offset{20});
  });
}

TEST_F(FailureTest, where_synced_is_asked_for_nothing_counts_before_it) {
  run(+[](io::Shard& shard) -> Task<void> {
    Disk disk;
    Told told;
    OpenLog log = co_await open_on(shard, disk, told, {.synced = true});
    must(log.append({.records = 1}));
    must(co_await log->wait_written(Offset{0}));
    EXPECT_EQ(log->counted_end(), Offset{0}) << "written is not enough";
    EXPECT_EQ(told.counted, 0);
    must(log.append({.records = 1}));
    must(co_await log->wait_counted(Offset{0}));
    EXPECT_EQ(log->synced_end(), Offset{1});
    EXPECT_EQ(told.counted, 1);
    for (int i = 0; i < 20; ++i) must(log.append({.records = 1}));
    must(co_await log->wait_counted(Offset{21}));
    EXPECT_LE(disk.syncs, 3) << "what comes during a sync shares the next one";
    EXPECT_EQ(log->counted_bytes(), log->size_bytes());
  });
}

TEST_F(FailureTest, a_repeated_batch_waits_for_the_sync_of_the_first) {
  run(+[](io::Shard& shard) -> Task<void> {
    Disk disk;
    Told told;
    OpenLog log = co_await open_on(shard, disk, told, {.synced = true});
    const BatchSpec batch{.records = 2, .producer_id = 5, .producer_epoch = 0, .sequence = 0};
    must(log.append(batch));
    must(co_await log->wait_written(Offset{1}));
    const Appended again = must(log.append(batch));
    EXPECT_TRUE(again.duplicate);
    EXPECT_EQ(log->synced_end(), Offset{0});
    must(co_await log->wait_counted(again.last_offset));
    EXPECT_EQ(log->synced_end(), Offset{2});
  });
}

TEST_F(FailureTest, what_counts_follows_the_option_while_the_log_is_open) {
  run(+[](io::Shard& shard) -> Task<void> {
    Disk disk;
    Told told;
    OpenLog log = co_await open_on(shard, disk, told);
    must(log.append({.records = 1}));
    must(co_await log->wait_counted(Offset{0}));
    EXPECT_EQ(disk.syncs, 0);
    EXPECT_EQ(log->counted_end(), Offset{1});
    log->set_options({.synced = true});
    must(co_await log->wait_counted(Offset{0}));
    EXPECT_EQ(log->synced_end(), Offset{1}) << "what was only written is synced without a further append";
    log->set_options({.synced = false});
    must(log.append({.records = 1}));
    must(co_await log->wait_counted(Offset{1}));
    EXPECT_EQ(disk.syncs, 1);
  });
}

TEST_F(FailureTest, who_waits_when_synced_is_turned_on_waits_for_the_sync) {
  run(+[](io::Shard& shard) -> Task<void> {
    Disk disk;
    Told told;
    OpenLog log = co_await open_on(shard, disk, told);
    base::TaskScope scope{shard.executor(), [](std::exception_ptr fault) { std::rethrow_exception(fault); }};
    must(log.append({.records = 1}));
    scope.spawn([](PartitionLog& of) -> Task<void> {
      must(co_await of.wait_counted(Offset{0}));
      EXPECT_EQ(of.counted_end(), Offset{1});
    }(*log.log));
    log->set_options({.synced = true});
    co_await scope.join();
  });
}

TEST_F(FailureTest, a_cut_during_a_sync_keeps_nobody_waiting) {
  run(+[](io::Shard& shard) -> Task<void> {
    Disk disk;
    Told told;
    OpenLog log = co_await open_on(shard, disk, told, {.synced = true});
    for (int i = 0; i < 4; ++i) must(log.append({.records = 1}));
    must(co_await log->wait_written(Offset{3}));
    must(co_await log->truncate_to(Offset{2}));
    must(co_await log->wait_counted(Offset{1}));
    EXPECT_EQ(log->counted_end(), Offset{2});
  });
}

TEST_F(FailureTest, a_failed_write_ends_the_log_and_is_undone) {
  run(+[](io::Shard& shard) -> Task<void> {
    Disk disk;
    Told told;
    OpenLog log = co_await open_on(shard, disk, told);
    must(log.append({.records = 2}));
    must(co_await log->wait_written(Offset{1}));
    disk.fail_writes = true;
    must(log.append({.records = 1}));
    must(log.append({.records = 1}));
    EXPECT_EQ((co_await log->wait_written(Offset{3})).code(), ErrorCode::kKafkaStorageError);
    EXPECT_EQ(log->assigned_end(), Offset{2}) << "the unwritten tail is undone";
    disk.fail_writes = false;
    EXPECT_EQ(log.append({.records = 1}).code(), ErrorCode::kKafkaStorageError) << "never tried again";
    EXPECT_EQ((co_await log->flush()).code(), ErrorCode::kKafkaStorageError);
    EXPECT_EQ((co_await log->close_clean()).code(), ErrorCode::kKafkaStorageError);
    EXPECT_EQ(told.failed, 1);
    EXPECT_EQ(disk.writes, 2);
  });
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {});
    EXPECT_EQ(log->assigned_end(), Offset{2});
  });
}

TEST_F(FailureTest, a_write_that_found_no_space_leaves_a_log_that_can_be_opened_again) {
  run(+[](io::Shard& shard) -> Task<void> {
    Disk disk;
    Told told;
    OpenLog log = co_await open_on(shard, disk, told);
    must(log.append({.records = 2}));
    must(co_await log->wait_written(Offset{1}));
    disk.fail_writes = true;
    disk.os_error = ENOSPC;
    must(log.append({.records = 1}));
    EXPECT_EQ((co_await log->wait_written(Offset{2})).code(), ErrorCode::kKafkaStorageError);
    EXPECT_TRUE(is_no_space(*log->failure()));
    EXPECT_EQ(disk.syncs, 1) << "a loss of power could bring back what was undone";
    co_await log->settled();
    disk.fail_writes = false;
    OpenLog again = co_await open(shard, {});
    EXPECT_EQ(must(again.append({.records = 1})).base_offset, Offset{2});
    must(co_await again->wait_written(Offset{2}));
    EXPECT_EQ((co_await log->wait_written(Offset{2})).code(), ErrorCode::kKafkaStorageError)
        << "whoever waits for the batch that was undone is not told of the one in its place";
  });
}

TEST_F(FailureTest, a_sync_that_fails_for_want_of_space_is_the_end_of_the_log) {
  run(+[](io::Shard& shard) -> Task<void> {
    Disk disk;
    Told told;
    OpenLog log = co_await open_on(shard, disk, told);
    must(log.append({.records = 2}));
    disk.fail_syncs = true;
    disk.os_error = ENOSPC;
    EXPECT_EQ((co_await log->wait_synced(Offset{1})).code(), ErrorCode::kKafkaStorageError);
    EXPECT_FALSE(is_no_space(*log->failure())) << "what the kernel did with the bytes is not known";
  });
}

Task<void> flush_until(io::Shard& shard, OpenLog& log, bool& over) {
  while (!over) {
    if (log->written_end() > log->synced_end()) must(co_await log->wait_synced(log->written_end() + -1));
    co_await io::sleep_until(shard, shard.clock().now() + std::chrono::microseconds{shard.random().below(3000)});
  }
}

TEST_F(FailureTest, no_flush_passes_a_segment_before_the_snapshot_behind_it_is_whole) {
  host_.disk().set_faults("/data", {.slow = io::kAlways / 4, .slow_longest = std::chrono::milliseconds{2}});
  for (int round = 0; round < 40; ++round) {
    int64_t recovery_point = 0;
    run(
        +[](io::Shard& shard, int64_t& reached) -> Task<void> {
          OpenLog log = co_await open(shard, {.options = {.segment_bytes = 150}});
          bool over = false;
          base::TaskScope scope{shard.executor(), [](std::exception_ptr fault) { std::rethrow_exception(fault); }};
          scope.spawn(flush_until(shard, log, over));
          for (int i = 0; i < 20; ++i) {
            must(log.append({.records = 1, .producer_id = 5, .producer_epoch = 0, .sequence = i}));
            must(co_await log->wait_written(Offset{i}));
          }
          over = true;
          reached = log->recovery_point().value();
        },
        recovery_point);
    host_.disk().lose_power(io::kLoseAll);
    for (const std::string& file : host_.disk().files("/data/t-0")) {
      const auto base = parse_offset_file_name(file.substr(file.rfind('/') + 1), kSnapshotSuffix);
      // At the recovery point itself the next recovery makes it anew.
      if (!base || base->value() >= recovery_point) continue;
      const auto entries = parse_producer_snapshot(*host_.disk().contents(file));
      EXPECT_TRUE(entries.ok()) << file << " at a recovery point of " << recovery_point;
    }
    run(+[](io::Shard& shard) -> Task<void> { must(co_await (co_await directory(shard))->remove_tree("t-0")); });
  }
}

TEST_F(FailureTest, a_failed_sync_is_never_tried_again) {
  run(+[](io::Shard& shard) -> Task<void> {
    Disk disk;
    Told told;
    OpenLog log = co_await open_on(shard, disk, told);
    must(log.append({.records = 2}));
    disk.fail_syncs = true;
    EXPECT_EQ((co_await log->wait_synced(Offset{1})).code(), ErrorCode::kKafkaStorageError);
    disk.fail_syncs = false;
    EXPECT_EQ((co_await log->wait_synced(Offset{1})).code(), ErrorCode::kKafkaStorageError);
    EXPECT_EQ(log->synced_end(), Offset{0});
    EXPECT_EQ(disk.syncs, 1);
    EXPECT_EQ(told.failed, 1);
  });
}

// The failed sync left the pages clean and unwritten: the next process sees them, and its own sync is a success.
TEST_F(FailureTest, what_a_failed_sync_left_in_the_page_cache_is_written_again) {
  run(
      +[](io::Shard& shard, io::SimHost& host) -> Task<void> {
        OpenLog log = co_await open(shard, {.options = {.synced = true}});
        must(log.append({.records = 1}));
        must(co_await log->wait_counted(Offset{0}));
        host.disk().set_faults("/data", {.sync_error = io::kAlways});
        must(log.append({.records = 1}));
        EXPECT_FALSE((co_await log->wait_counted(Offset{1})).ok());
        host.disk().set_faults("/data", {});
      },
      host_);
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {.options = {.synced = true}, .recovery_point = 1, .write_again = true});
    EXPECT_EQ(log->counted_end(), Offset{2});
    must(log.append({.records = 1}));
    must(co_await log->wait_counted(Offset{2}));
  });
  host_.disk().lose_power(io::kLoseAll);
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {.recovery_point = 1});
    EXPECT_EQ(log->assigned_end(), Offset{3}) << "nothing that counted went";
    EXPECT_EQ((co_await offsets_of(*log.log, Offset{0})).size(), 3U);
  });
}

}  // namespace
}  // namespace stele::log
