#include <algorithm>
#include <cerrno>
#include <set>

#include "io/sim/faults_fixture.h"

namespace stele::io {
namespace {

using base::Result;
using base::Task;
using std::chrono::milliseconds;
using std::chrono::seconds;

Task<void> tick(Shard& shard, base::MonoTime& last) {
  for (int i = 0; i < 100; ++i) {
    co_await sleep_until(shard, shard.clock().now() + milliseconds{1});
    last = std::max(last, shard.clock().now());
  }
}

class DiskFaultsTest : public FaultsTest {
 protected:
  static Task<std::unique_ptr<File>> open(Shard& shard, std::string path) {
    const size_t cut = path.rfind('/');
    auto directory = must(co_await shard.open_directory(path.substr(0, cut), true));
    co_return must(co_await directory->open(path.substr(cut + 1), OpenMode::kCreate));
  }
  static Task<Result<void>> write(File& file, uint64_t offset, std::string text) {
    const iovec part{text.data(), text.size()};
    co_return co_await file.write(offset, {&part, 1});
  }
  std::string text_of(const std::string& path) {
    const auto bytes = disk_.contents(path);
    return bytes ? std::string{base::as_text(*bytes)} : "none";
  }
  // The file, its name and a first content are on the disk; then so many unsynced appends of `bytes` each.
  void append_unsynced(std::string first, size_t appends, size_t bytes) {
    run(a_, write_appends, first, appends, bytes);
  }
  static Task<void> write_appends(Shard& shard, std::string first, size_t appends, size_t bytes) {
    auto file = co_await open(shard, "/d/f");
    must(co_await write(*file, 0, first));
    must(co_await file->sync());
    for (const char* path : {"/", "/d"}) {
      auto directory = must(co_await shard.open_directory(path, false));
      must(co_await directory->sync());
    }
    for (size_t i = 0; i < appends; ++i) {
      must(co_await write(*file, first.size() + i * bytes, std::string(bytes, static_cast<char>('a' + i % 26))));
    }
  }

  static Task<void> write_stuck(Shard& shard, SimDisk& disk, base::MonoTime& last) {
    auto file = co_await open(shard, "/d/f");
    disk.set_faults({.stuck = kAlways, .stuck_for = seconds{5}});
    must(co_await write(*file, 0, "text"));
    co_await tick(shard, last);
  }

  SimDisk& disk_ = a_.disk();
};

TEST_F(DiskFaultsTest, a_failed_write_leaves_the_file_as_it_was) {
  disk_.set_faults({.write_error = kAlways});
  run(
      a_, +[](Shard& shard) -> Task<void> {
        auto file = co_await open(shard, "/d/f");
        EXPECT_EQ(errno_of(co_await write(*file, 0, "text")), EIO);
        EXPECT_EQ(errno_of(co_await file->truncate(3)), EIO);
        EXPECT_EQ(must(file->size()), 0);
      });
}

TEST_F(DiskFaultsTest, a_short_write_leaves_any_part_of_it) {
  disk_.set_faults({.short_write = kAlways});
  std::set<uint64_t> sizes;
  run(
      a_,
      +[](Shard& shard, std::set<uint64_t>& seen) -> Task<void> {
        for (int i = 0; i < 200; ++i) {
          auto file = co_await open(shard, fmt::format("/d/f{}", i));
          EXPECT_EQ(errno_of(co_await write(*file, 0, "text")), EIO);
          seen.insert(must(file->size()));
        }
      },
      sizes);
  EXPECT_EQ(sizes, (std::set<uint64_t>{0, 1, 2, 3, 4}));
}

TEST_F(DiskFaultsTest, what_a_failed_sync_lost_stays_in_view_and_is_gone_after_a_power_loss) {
  run(
      a_,
      +[](Shard& shard, SimDisk& disk) -> Task<void> {
        co_await write_appends(shard, "first,", 0, 0);
        auto file = co_await open(shard, "/d/f");
        must(co_await write(*file, 6, "lost,"));
        disk.set_faults({.sync_error = kAlways});
        EXPECT_EQ(errno_of(co_await file->sync()), EIO);
        disk.set_faults({});
        must(co_await write(*file, 11, "last"));
        must(co_await file->sync());
      },
      disk_);
  EXPECT_EQ(text_of("/d/f"), "first,lost,last");
  disk_.lose_power();
  const std::string text = text_of("/d/f");
  EXPECT_TRUE(text == "first,lost,last" || text == std::string("first,\0\0\0\0\0last", 15)) << text;
}

TEST_F(DiskFaultsTest, most_failed_syncs_lose_something) {
  int lost = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SimDevice device{"/", seed};
    SimFileNode file{device};
    Chance draws{seed};
    file.write(0, base::as_bytes("text"));
    file.lose_up_to(file.operations(), draws);
    file.sync_up_to(file.operations());
    file.write(4, base::as_bytes("more"));
    file.sync_up_to(file.operations());
    EXPECT_EQ(base::as_text(file.view()), "textmore");
    file.lose_power(kLoseAll, draws);
    EXPECT_EQ(base::as_text(file.view()).substr(4), "more");
    if (base::as_text(file.view()).substr(0, 4) != "text") ++lost;
  }
  EXPECT_GT(lost, 20);
  EXPECT_LT(lost, 40);
}

TEST_F(DiskFaultsTest, reads_fail_or_answer_one_wrong_bit_and_the_file_is_sound) {
  run(
      a_,
      +[](Shard& shard, SimDisk& disk) -> Task<void> {
        auto file = co_await open(shard, "/d/f");
        must(co_await write(*file, 0, std::string(16, '\0')));
        base::ByteVector bytes(16);
        disk.set_faults({.read_error = kAlways});
        EXPECT_EQ(errno_of(co_await file->read(0, bytes)), EIO);
        disk.set_faults({.flipped_read = kAlways, .cache_miss = 0});
        EXPECT_EQ(must(file->try_read(0, bytes)), 16);
        int wrong = 0;
        for (const std::byte byte : bytes) wrong += std::popcount(std::to_integer<unsigned>(byte));
        EXPECT_EQ(wrong, 1);
        disk.set_faults({.cache_miss = kAlways});
        EXPECT_EQ(errno_of(file->try_read(0, bytes)), EAGAIN);
      },
      disk_);
  EXPECT_EQ(text_of("/d/f"), std::string(16, '\0'));
}

TEST_F(DiskFaultsTest, a_full_device_takes_what_fits_and_shows_it) {
  disk_.set_faults("/small", {.capacity_bytes = 10});
  run(
      a_,
      +[](Shard& shard, SimDisk& disk) -> Task<void> {
        auto file = co_await open(shard, "/small/f");
        auto directory = must(co_await shard.open_directory("/small", false));
        must(co_await write(*file, 0, "123456"));
        EXPECT_EQ(must(directory->space()).total_bytes, 10);
        EXPECT_EQ(must(directory->space()).usable_bytes, 4);
        EXPECT_EQ(errno_of(co_await write(*file, 6, "789abc")), ENOSPC);
        EXPECT_EQ(must(file->size()), 10);
        must(co_await write(*file, 0, "overwrites"));
        EXPECT_EQ(errno_of(co_await directory->open("g", OpenMode::kCreate)), ENOSPC);
        EXPECT_EQ(errno_of(co_await directory->open_directory("h", true)), ENOSPC);
        auto elsewhere = co_await open(shard, "/large/f");
        must(co_await write(*elsewhere, 0, std::string(1000, 'x')));
        must(co_await file->truncate(2));
        EXPECT_EQ(errno_of(co_await file->truncate(11)), ENOSPC);
        EXPECT_EQ(disk.used_bytes("/small"), 2);
        must(co_await directory->remove("f"));
        EXPECT_EQ(must(directory->space()).usable_bytes, 10);
      },
      disk_);
}

TEST_F(DiskFaultsTest, a_device_that_is_named_late_counts_the_files_that_are_there) {
  run(
      a_, +[](Shard& shard) -> Task<void> {
        auto file = co_await open(shard, "/d/f");
        must(co_await write(*file, 0, "123456"));
      });
  disk_.set_faults("/d", {.capacity_bytes = 10});
  EXPECT_EQ(disk_.used_bytes("/d"), 6);
  EXPECT_EQ(disk_.used_bytes("/"), 0);
  EXPECT_EQ(errno_of(disk_.rename("/d/f", "/f")), EXDEV);
  disk_.lose_power(kLoseAll);
  EXPECT_EQ(disk_.used_bytes("/d"), 0);
}

TEST_F(DiskFaultsTest, a_read_only_device_refuses_every_change) {
  run(
      a_,
      +[](Shard& shard, SimDisk& disk) -> Task<void> {
        auto file = co_await open(shard, "/d/f");
        auto directory = must(co_await shard.open_directory("/d", false));
        must(co_await write(*file, 0, "text"));
        disk.set_faults("/d", {.read_only = true});
        EXPECT_EQ(errno_of(co_await write(*file, 4, "more")), EROFS);
        EXPECT_EQ(errno_of(co_await file->truncate(0)), EROFS);
        EXPECT_EQ(errno_of(co_await file->sync()), EROFS);
        EXPECT_EQ(errno_of(co_await directory->open("f", OpenMode::kReadWrite)), EROFS);
        EXPECT_EQ(errno_of(co_await directory->open("g", OpenMode::kCreate)), EROFS);
        EXPECT_EQ(errno_of(co_await directory->open_directory("h", true)), EROFS);
        EXPECT_EQ(errno_of(co_await directory->rename("f", "g")), EROFS);
        EXPECT_EQ(errno_of(co_await directory->remove("f")), EROFS);
        EXPECT_EQ(errno_of(co_await directory->remove_tree("f")), EROFS);
        EXPECT_EQ(errno_of(directory->lock("lock")), EROFS);
        EXPECT_EQ(must(co_await directory->list()).size(), 1);
        base::ByteVector bytes(8);
        EXPECT_EQ(must(co_await file->read(0, bytes)), 4);
      },
      disk_);
}

TEST_F(DiskFaultsTest, names_that_a_failed_sync_left_wait_for_the_next) {
  run(
      a_,
      +[](Shard& shard, SimDisk& disk) -> Task<void> {
        co_await write_appends(shard, "x", 0, 0);
        co_await open(shard, "/d/g");
        auto directory = must(co_await shard.open_directory("/d", false));
        disk.set_faults({.directory_error = kAlways});
        EXPECT_EQ(errno_of(co_await directory->sync()), EIO);
        EXPECT_EQ(errno_of(co_await directory->list()), EIO);
        disk.set_faults({});
        must(co_await directory->sync());
        co_await open(shard, "/d/h");
        disk.set_faults({.directory_error = kAlways});
        EXPECT_EQ(errno_of(co_await directory->sync()), EIO);
      },
      disk_);
  disk_.set_faults(DiskFaults{});
  disk_.lose_power(kLoseAll);
  EXPECT_EQ(disk_.files(), (std::vector<std::string>{"/d/f", "/d/g"}));
}

TEST_F(DiskFaultsTest, slow_and_stuck_operations_take_their_time) {
  run(
      a_,
      +[](Shard& shard, SimDisk& disk) -> Task<void> {
        auto file = co_await open(shard, "/d/f");
        disk.set_faults({.stuck = kAlways, .stuck_for = seconds{30}});
        const base::MonoTime start = shard.clock().now();
        must(co_await file->sync());
        EXPECT_GE(shard.clock().now() - start, seconds{30});
        disk.set_faults({.slow = kAlways, .slow_longest = seconds{10}});
        const base::MonoTime next = shard.clock().now();
        for (int i = 0; i < 20; ++i) must(co_await file->sync());
        EXPECT_GT(shard.clock().now() - next, seconds{20});
        EXPECT_LT(shard.clock().now() - next, seconds{201});
      },
      disk_);
}

TEST_F(DiskFaultsTest, a_stuck_write_holds_up_its_shard_and_no_other) {
  base::MonoTime held{};
  base::MonoTime free{};
  const auto write_and_tick = [this](Shard& shard, base::MonoTime& last) -> Task<void> {
    return write_stuck(shard, disk_, last);
  };
  a_.start(2, [&](Shard& shard) { return shard.id().value() == 0 ? write_and_tick(shard, held) : tick(shard, free); });
  EXPECT_TRUE(world_.run_until([&] { return a_.ended(); }, seconds{10}));
  EXPECT_GE(held, base::MonoTime{seconds{5}});
  EXPECT_LT(free, base::MonoTime{seconds{1}});
}

// What stands of ten appends of 1,000 bytes behind "first," in many power losses of one kind.
std::vector<std::string> outcomes(const PowerLoss& how) {
  std::vector<std::string> all;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SimDevice device{"/", seed};
    SimFileNode file{device};
    Chance draws{seed};
    file.write(0, base::as_bytes("first,"));
    file.sync_up_to(file.operations());
    for (size_t i = 0; i < 10; ++i) {
      file.write(6 + i * 1000, base::as_bytes(std::string(1000, static_cast<char>('a' + i))));
    }
    file.lose_power(how, draws);
    EXPECT_TRUE(base::as_text(file.view()).starts_with("first,"));
    all.emplace_back(base::as_text(file.view()));
  }
  return all;
}

std::string whole() {
  std::string text = "first,";
  for (size_t i = 0; i < 10; ++i) text += std::string(1000, static_cast<char>('a' + i));
  return text;
}

TEST(PowerLossTest, nothing_unsynced_may_stand) {
  for (const std::string& text : outcomes(kLoseAll)) EXPECT_EQ(text, "first,");
}

TEST(PowerLossTest, a_prefix_of_the_operations_may_stand) {
  std::set<size_t> sizes;
  for (const std::string& text : outcomes({.none = 0, .subset = 0, .torn = 0, .zero_tail = 0})) {
    EXPECT_TRUE(whole().starts_with(text));
    sizes.insert(text.size());
  }
  EXPECT_EQ(sizes.size(), 11);
}

TEST(PowerLossTest, any_operations_may_stand_and_the_size_for_itself) {
  bool hole = false;
  bool cut = false;
  for (const std::string& text : outcomes({.none = 0, .prefix = 0, .torn = 0, .zero_tail = 0})) {
    const std::string tail = text.substr(6);
    EXPECT_EQ(tail.size() % 1000, 0);
    hole |= !tail.empty() && tail[0] == '\0' && tail.find_first_not_of('\0') != std::string::npos;
    cut |= tail.size() < 10'000;
  }
  EXPECT_TRUE(hole && cut);
}

TEST(PowerLossTest, a_write_may_be_torn_between_sectors) {
  bool torn = false;
  for (const std::string& text : outcomes({.none = 0, .prefix = 0, .subset = 0, .zero_tail = 0})) {
    for (size_t at = 1; at < text.size(); ++at) {
      const bool breaks = (text[at] == '\0') != (text[at - 1] == '\0');
      if (!breaks || (at - 6) % 1000 == 0) continue;
      EXPECT_EQ(at % 512, 0) << at;
      torn = true;
    }
  }
  EXPECT_TRUE(torn);
}

TEST(PowerLossTest, the_size_may_stand_over_a_tail_of_zeros) {
  for (const std::string& text : outcomes({.none = 0, .prefix = 0, .subset = 0, .torn = 0})) {
    EXPECT_EQ(text.size(), 10'006);
    const std::string data = text.substr(0, text.find('\0'));
    EXPECT_TRUE(whole().starts_with(data));
    EXPECT_EQ(text.substr(data.size()).find_first_not_of('\0'), std::string::npos);
  }
}

TEST(PowerLossTest, truncations_and_overwrites_are_undone_in_order) {
  SimDevice device{"/", 1};
  SimFileNode file{device};
  Chance draws{1};
  file.write(0, base::as_bytes("0123456789"));
  file.sync_up_to(file.operations());
  file.write(2, base::as_bytes("abc"));
  file.truncate(4);
  file.write(6, base::as_bytes("xy"));
  file.truncate(20);
  EXPECT_EQ(base::as_text(file.view()), std::string("01ab\0\0xy", 8) + std::string(12, '\0'));
  file.lose_power(kLoseAll, draws);
  EXPECT_EQ(base::as_text(file.view()), "0123456789");
}

TEST_F(DiskFaultsTest, of_a_directory_a_prefix_of_the_changes_stands_and_a_rename_is_whole) {
  std::set<std::vector<std::string>> seen;
  for (int i = 0; i < 60; ++i) {
    run(
        a_, +[](Shard& shard) -> Task<void> {
          auto root = must(co_await shard.open_directory("/", false));
          must(co_await root->remove_tree("d"));
          co_await write_appends(shard, "x", 0, 0);
          auto directory = must(co_await shard.open_directory("/d", false));
          must(co_await directory->open("g", OpenMode::kCreate));
          must(co_await directory->rename("g", "f"));
          must(co_await directory->open("h", OpenMode::kCreate));
        });
    disk_.lose_power();
    seen.insert(disk_.files());
  }
  const std::set<std::vector<std::string>> all{{"/d/f"}, {"/d/f", "/d/g"}, {"/d/f", "/d/h"}};
  EXPECT_EQ(seen, all);
}

TEST_F(DiskFaultsTest, a_flipped_bit_at_rest_stays) {
  append_unsynced("text", 0, 0);
  EXPECT_TRUE(disk_.flip_bit("/d/f", 1, 0));
  EXPECT_FALSE(disk_.flip_bit("/d/f", 4, 0));
  EXPECT_FALSE(disk_.flip_bit("/d/g", 0, 0));
  disk_.lose_power();
  EXPECT_EQ(text_of("/d/f"), "tdxt");
}

TEST_F(DiskFaultsTest, what_came_true_is_counted) {
  disk_.set_faults({.write_error = kAlways});
  run(
      a_, +[](Shard& shard) -> Task<void> {
        auto file = co_await open(shard, "/d/f");
        EXPECT_FALSE((co_await write(*file, 0, "text")).ok());
      });
  EXPECT_EQ(world_.marks().at("disk.write_error").taken, 1);
  EXPECT_EQ(world_.marks().at("disk.sync_error").asked, 0);
}

}  // namespace
}  // namespace stele::io
