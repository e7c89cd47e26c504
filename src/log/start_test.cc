// What opening and closing a partition write: nothing where nothing has changed, and what must be on stable storage
// before the recovery point or a checkpoint relies on it.
#include "log/log_dir.h"
#include "log/log_fixture.h"
#include "log/meta_properties.h"

namespace stele::log {
namespace {

using base::Offset;
using base::Result;
using base::Task;

// Counts what changes a log dir, or waits for the disk.
struct Changes {
  int count = 0;
};

class WatchedFile final : public io::File {
 public:
  WatchedFile(std::unique_ptr<io::File> inner, Changes& changes) : inner_(std::move(inner)), changes_(changes) {}
  Task<Result<void>> write(uint64_t offset, std::span<const iovec> from) override {
    ++changes_.count;
    return inner_->write(offset, from);
  }
  Task<Result<size_t>> read(uint64_t offset, base::MutableBytes into) override { return inner_->read(offset, into); }
  Result<size_t> try_read(uint64_t offset, base::MutableBytes into) override { return inner_->try_read(offset, into); }
  Task<Result<void>> sync() override {
    ++changes_.count;
    return inner_->sync();
  }
  Task<Result<void>> truncate(uint64_t size) override {
    ++changes_.count;
    return inner_->truncate(size);
  }
  Result<uint64_t> size() const override { return inner_->size(); }

 private:
  std::unique_ptr<io::File> inner_;
  Changes& changes_;
};

class WatchedDirectory final : public io::Directory {
 public:
  WatchedDirectory(std::shared_ptr<io::Directory> inner, Changes& changes)
      : inner_(std::move(inner)), changes_(changes) {}
  Task<Result<std::unique_ptr<io::File>>> open(std::string path, io::OpenMode mode) override {
    if (mode == io::OpenMode::kCreate || mode == io::OpenMode::kCreateNew) ++changes_.count;
    STELE_CO_TRY_ASSIGN(std::unique_ptr<io::File> file, co_await inner_->open(path, mode));
    co_return std::unique_ptr<io::File>{std::make_unique<WatchedFile>(std::move(file), changes_)};
  }
  Task<Result<std::unique_ptr<io::Directory>>> open_directory(std::string path, bool create) override {
    if (create) ++changes_.count;
    return inner_->open_directory(std::move(path), create);
  }
  Task<Result<std::vector<io::Entry>>> list(std::string path) override { return inner_->list(std::move(path)); }
  Task<Result<void>> rename(std::string from, std::string to) override {
    ++changes_.count;
    return inner_->rename(std::move(from), std::move(to));
  }
  Task<Result<void>> remove(std::string path) override {
    ++changes_.count;
    return inner_->remove(std::move(path));
  }
  Task<Result<void>> remove_tree(std::string path) override { return inner_->remove_tree(std::move(path)); }
  Task<Result<void>> sync(std::string path) override {
    ++changes_.count;
    return inner_->sync(std::move(path));
  }
  Task<Result<void>> sync_all() override {
    ++changes_.count;
    return inner_->sync_all();
  }
  Result<std::unique_ptr<io::FileLock>> lock(std::string path) override { return inner_->lock(std::move(path)); }
  Result<io::Space> space() const override { return inner_->space(); }
  const std::string& path() const override { return inner_->path(); }

 private:
  std::shared_ptr<io::Directory> inner_;
  Changes& changes_;
};

class StartTest : public LogTest {
 protected:
  // Opens, begins an epoch as every start does, and closes: how many changes that makes.
  static Task<int> changes_of_a_life(io::Shard& shard, bool clean, int64_t recovery_point) {
    Changes changes;
    OpenArgs args;
    args.shard = &shard;
    args.log_dir = std::make_shared<WatchedDirectory>(co_await directory(shard), changes);
    args.name = "t-0";
    args.topic_id = kTestTopic;
    args.clean = clean;
    args.recovery_point = Offset{recovery_point};
    const auto log = must(co_await PartitionLog::open(std::move(args)));
    EXPECT_EQ(log->assigned_end(), Offset{recovery_point});
    log->begin_epoch(base::LeaderEpoch{9});
    if (clean) must(co_await log->close_clean());
    co_return changes.count;
  }
  static Task<void> put(io::Shard& shard, std::string path, std::string text) {
    const auto dir = co_await directory(shard);
    must(co_await dir->open_directory(path.substr(0, path.find('/')), true));
    const base::Bytes bytes = base::as_bytes(text);
    must(co_await io::write_atomically(*dir, path, {bytes.begin(), bytes.end()}));
  }
};

TEST_F(StartTest, a_partition_that_is_as_its_last_stop_left_it_is_only_read) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {});
    for (int i = 0; i < 5; ++i) must(log.append({.producer_id = 3, .producer_epoch = 0, .sequence = i}));
    must(co_await log->close_clean());
    EXPECT_EQ(co_await changes_of_a_life(shard, true, 5), 0) << "after a clean stop";
    EXPECT_EQ(co_await changes_of_a_life(shard, false, 5), 0) << "after a crash";
    OpenLog again = co_await open(shard, {.recovery_point = 5, .clean = true});
    EXPECT_EQ(again->producers().snapshot().size(), 1u);
  });
}

TEST_F(StartTest, a_torn_snapshot_below_the_recovery_point_is_removed) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {});
    must(log.append({.records = 5}));
    must(co_await log->close_clean());
    co_await put(shard, "t-0/00000000000000000005.snapshot", "");  // a stop wrote it again and was killed
    static_cast<void>(co_await open(shard, {.recovery_point = 5}));
    const auto dir = co_await directory(shard);
    EXPECT_FALSE((co_await dir->open("t-0/00000000000000000005.snapshot", io::OpenMode::kRead)).ok());
  });
}

TEST_F(StartTest, what_the_owner_syncs_at_a_stop_is_there_after_a_loss_of_power) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {});
    for (int i = 0; i < 5; ++i) must(log.append({.producer_id = 3, .producer_epoch = 0, .sequence = i}, 4));
    must(co_await log->close_clean(true));
    EXPECT_EQ(log->recovery_point(), Offset{0}) << "nothing is synced yet";
    must(co_await (co_await directory(shard))->sync_all());
  });
  host_.disk().lose_power(io::kLoseAll);
  run(+[](io::Shard& shard) -> Task<void> {
    EXPECT_EQ(co_await changes_of_a_life(shard, true, 5), 0);
    OpenLog log = co_await open(shard, {.recovery_point = 5, .clean = true});
    EXPECT_EQ(log->epochs().latest(), base::LeaderEpoch{4});
  });
}

TEST_F(StartTest, the_recovery_point_passes_no_epoch_that_is_not_in_its_checkpoint) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {});
    for (int epoch = 1; epoch <= 3; ++epoch) must(log.append({.records = 2}, epoch));
    must(co_await log->flush());
    EXPECT_EQ(log->recovery_point(), Offset{6});
  });
  host_.disk().lose_power(io::kLoseAll);
  run(+[](io::Shard& shard) -> Task<void> {
    const auto text = must(co_await io::read_whole(*co_await directory(shard), "t-0/leader-epoch-checkpoint", 100));
    EXPECT_EQ(base::as_text(text), "0\n3\n1 0\n2 2\n3 4\n");
  });
}

TEST_F(StartTest, an_epoch_checkpoint_without_its_end_is_made_anew_from_the_batches) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {});
    for (int epoch = 11; epoch <= 13; ++epoch) must(log.append({.records = 20}, epoch));
    must(co_await log->close_clean());
    co_await put(shard, "t-0/leader-epoch-checkpoint", "0\n3\n11 0\n12 20\n13 4");  // of "40"
    OpenLog again = co_await open(shard, {.recovery_point = 60, .clean = true});
    const auto end = again->end_offset_for_epoch(base::LeaderEpoch{12});
    EXPECT_EQ(end->end, Offset{40});
  });
  EXPECT_TRUE(lines_.mention("leader-epoch-checkpoint: made anew from the log"));
}

TEST_F(StartTest, the_log_start_stays_in_the_checkpoint_until_the_name_that_tells_it_is_synced) {
  run(+[](io::Shard& shard) -> Task<void> {
    OpenLog log = co_await open(shard, {.log_start = 7});
    EXPECT_EQ(log->log_start_offset(), Offset{7});
    EXPECT_EQ(log->log_start_to_checkpoint(), Offset{7});
    must(co_await log->flush());
    EXPECT_EQ(log->log_start_to_checkpoint(), std::nullopt);
  });
}

TEST_F(StartTest, a_torn_partition_metadata_is_made_anew_where_there_are_no_records) {
  run(+[](io::Shard& shard) -> Task<void> {
    co_await put(shard, "t-0/partition.metadata", "vers");
    OpenLog log = co_await open(shard, {});
    const auto text = must(co_await io::read_whole(*co_await directory(shard), "t-0/partition.metadata", 100));
    EXPECT_EQ(base::as_text(text), format_partition_metadata(kTestTopic));
    must(log.append({.records = 1}));
    must(co_await log->close_clean());
    co_await put(shard, "t-0/partition.metadata", "vers");
    EXPECT_EQ((co_await try_open(shard, {})).code(), base::ErrorCode::kInconsistentTopicId);
  });
}

TEST_F(StartTest, epochs_that_were_never_on_stable_storage_are_not_missed) {
  for (const int64_t recovery_point : {0, 1}) {
    run(
        +[](io::Shard& shard, const int64_t& point) -> Task<void> {
          OpenLog log = co_await open(shard, {});
          must(log.append({.records = 1}));
          must(co_await log->wait_written(Offset{0}));
          OpenLog again = co_await open(shard, {.recovery_point = point});
          must(co_await (co_await directory(shard))->remove_tree("t-0"));
        },
        recovery_point);
    EXPECT_EQ(lines_.mention("leader-epoch-checkpoint: missing"), recovery_point > 0);
  }
}

TEST_F(StartTest, a_new_partition_that_its_owner_syncs_is_there_after_a_loss_of_power) {
  for (const bool killed : {false, true}) {
    run(
        +[](io::Shard& shard, bool before_the_sync) -> Task<void> {
          OpenArgs args;
          args.shard = &shard;
          args.log_dir = co_await directory(shard);
          args.name = before_the_sync ? "killed-0" : "synced-0";
          args.topic_id = kTestTopic;
          args.owner_syncs_new = true;
          const auto log = must(co_await PartitionLog::open(std::move(args)));
          EXPECT_TRUE(log->is_unsynced_new());
          if (before_the_sync) co_return;
          const auto dir = must(co_await LogDir::open(shard, "/data"));
          must(co_await dir->sync_new({"synced-0"}));
        },
        killed);
  }
  run(+[](io::Shard& shard) -> Task<void> {
    // The next start finds it in the page cache, and does not know that it was never synced. A checkpoint that speaks
    // of a deleted topic of the same name changes nothing.
    static_cast<void>(co_await open(shard, {.recovery_point = 9, .name = "killed-0"}));
  });
  host_.disk().lose_power(io::kLoseAll);
  run(+[](io::Shard& shard) -> Task<void> {
    const auto dir = must(co_await LogDir::open(shard, "/data"));
    EXPECT_EQ(must(co_await dir->topic_id_of("synced-0")), kTestTopic);
    EXPECT_EQ(must(co_await dir->topic_id_of("killed-0")), kTestTopic);
    const auto ids = co_await dir->topic_ids_of({"killed-0", "none-0", "synced-0"});
    EXPECT_EQ(must(ids[0]), kTestTopic);
    EXPECT_EQ(must(ids[1]), std::nullopt);
    EXPECT_EQ(must(ids[2]), kTestTopic);
  });
}

}  // namespace
}  // namespace stele::log
