#include "log/open_files.h"

#include <gtest/gtest.h>

#include "log/log_fixture.h"

namespace stele::log {
namespace {

class Named final : public OpenFiles::Kept {
 public:
  bool open = true;
  void let_go() override { open = false; }
};

TEST(OpenFilesTest, closes_the_one_unused_for_longest) {
  OpenFiles files{2};
  Named a;
  Named b;
  Named c;
  files.used(a);
  files.used(b);
  files.used(a);
  files.used(c);
  EXPECT_TRUE(a.open);
  EXPECT_FALSE(b.open);
  EXPECT_EQ(files.count(), 2U);
  EXPECT_EQ(files.closed(), 1U);
}

TEST(OpenFilesTest, one_that_is_gone_makes_room) {
  OpenFiles files{1};
  Named a;
  Named b;
  files.used(a);
  files.gone(a);
  files.gone(a);
  files.used(b);
  EXPECT_TRUE(a.open);
  EXPECT_EQ(files.count(), 1U);
}

TEST(OpenFilesTest, a_limit_of_nothing_keeps_the_one_in_use) {
  OpenFiles files{0};
  Named a;
  files.used(a);
  EXPECT_EQ(files.count(), 1U);
}

class OpenFilesOfLogTest : public LogTest {};

// Segments of one record each, read from one end to the other and back.
base::Task<void> read_all_segments(io::Shard& shard, OpenFiles& files) {
  OpenArgs args;
  args.shard = &shard;
  args.log_dir = std::shared_ptr<io::Directory>{must(co_await shard.open_directory("/data", true))};
  args.name = "t-0";
  args.options.segment_bytes = 100;
  args.open_files = &files;
  OpenLog log;
  log.log = must(co_await PartitionLog::open(std::move(args)));
  for (int i = 0; i < 20; ++i) must(co_await log->wait_written(must(log.append(BatchSpec{})).last_offset));
  EXPECT_EQ(log->segment_count(), 20U);
  for (int64_t from = 19; from >= 0; --from) {
    EXPECT_EQ((co_await offsets_of(*log.log, base::Offset{from})).size(), static_cast<size_t>(20 - from));
    EXPECT_LE(files.count(), 3U);
  }
  must(co_await log->close_clean());
}

TEST_F(OpenFilesOfLogTest, a_log_of_many_segments_is_read_with_few_files) {
  OpenFiles files{3};
  run<OpenFiles&>(read_all_segments, files);
  EXPECT_EQ(files.count(), 0U) << "a log that went holds none";
  EXPECT_GT(files.closed(), 20U);
}

}  // namespace
}  // namespace stele::log
