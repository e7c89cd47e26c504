// What every File and Directory promises, in the real and in the simulated world.
#include "io/file.h"

#include <cerrno>
#include <utility>

#include "io/conformance.h"

namespace stele::io {
namespace {

using base::Result;
using base::Task;
using base::TaskScope;
using conformance::must;

using DirectoryPointer = std::unique_ptr<Directory>;
using FilePointer = std::unique_ptr<File>;

class FileTest : public conformance::ConformanceTest {
 protected:
  void check(Task<void> (*test)(Shard&, DirectoryPointer)) {
    std::string path = world_->directory();
    run(open_and, test, path);
  }

 private:
  static Task<void> open_and(Shard& shard, Task<void> (*test)(Shard&, DirectoryPointer), std::string path) {
    DirectoryPointer directory = must(co_await shard.open_directory(path, false));
    co_await test(shard, std::move(directory));
  }
};
INSTANTIATE_TEST_SUITE_P(worlds, FileTest, ::testing::ValuesIn(conformance::world_names()),
                         [](const auto& info) { return info.param; });

Task<Result<void>> write_text(File& file, uint64_t offset, std::string text) {
  const iovec part{text.data(), text.size()};
  co_return co_await file.write(offset, {&part, 1});
}

Task<std::string> read_text(File& file, uint64_t offset, size_t bytes) {
  base::ByteVector into(bytes);
  const size_t got = must(co_await file.read(offset, into));
  co_return std::string{base::as_text(base::Bytes{into}.first(got))};
}

Task<void> put_file(Directory& directory, std::string path, std::string text) {
  const FilePointer file = must(co_await directory.open(path, OpenMode::kCreateNew));
  must(co_await write_text(*file, 0, text));
}

Task<std::string> file_text(Directory& directory, std::string path) {
  const base::ByteVector content = must(co_await read_whole(directory, path, 1 << 20));
  co_return std::string{base::as_text(content)};
}

template <class T>
int error_of(const Result<T>& result) {
  return result.ok() ? 0 : result.error().os_error;
}

Task<void> read_back(Shard&, DirectoryPointer directory) {
  const FilePointer file = must(co_await directory->open("a", OpenMode::kCreateNew));
  must(co_await write_text(*file, 0, "hello world"));
  must(co_await write_text(*file, 6, "stone"));
  EXPECT_EQ(co_await read_text(*file, 0, 11), "hello stone");
  EXPECT_EQ(co_await read_text(*file, 4, 3), "o s");
  EXPECT_EQ(must(file->size()), 11u);
}
TEST_P(FileTest, what_is_written_is_read) { check(read_back); }

Task<void> short_at_end(Shard&, DirectoryPointer directory) {
  const FilePointer file = must(co_await directory->open("a", OpenMode::kCreateNew));
  must(co_await write_text(*file, 0, "hello"));
  EXPECT_EQ(co_await read_text(*file, 3, 100), "lo");
  EXPECT_EQ(co_await read_text(*file, 5, 100), "");
  EXPECT_EQ(co_await read_text(*file, 500, 100), "");
}
TEST_P(FileTest, a_read_is_short_only_at_the_end) { check(short_at_end); }

Task<void> gather(Shard&, DirectoryPointer directory) {
  const FilePointer file = must(co_await directory->open("a", OpenMode::kCreateNew));
  std::string letters = "abcdefghijklmnopqrstuvwxyz";
  std::vector<iovec> parts;
  std::string expected;
  for (size_t i = 0; i < 2000; ++i) {
    parts.push_back({letters.data() + i % 13, i % 5});
    expected += letters.substr(i % 13, i % 5);
  }
  must(co_await file->write(10, parts));
  EXPECT_TRUE(co_await read_text(*file, 10, 1 << 20) == expected);
  EXPECT_EQ(co_await read_text(*file, 0, 10), std::string(10, '\0'));
}
TEST_P(FileTest, many_parts_are_written_in_order_behind_a_gap_of_zeros) { check(gather); }

Task<void> truncate(Shard&, DirectoryPointer directory) {
  const FilePointer file = must(co_await directory->open("a", OpenMode::kCreateNew));
  must(co_await write_text(*file, 0, "hello"));
  must(co_await file->truncate(2));
  EXPECT_EQ(must(file->size()), 2u);
  must(co_await file->truncate(4));
  EXPECT_EQ(co_await read_text(*file, 0, 100), std::string("he\0\0", 4));
}
TEST_P(FileTest, truncate_cuts_and_extends_with_zeros) { check(truncate); }

Task<void> modes(Shard&, DirectoryPointer directory) {
  EXPECT_EQ(error_of(co_await directory->open("a", OpenMode::kRead)), ENOENT);
  EXPECT_EQ(error_of(co_await directory->open("a", OpenMode::kReadWrite)), ENOENT);
  EXPECT_EQ(error_of(co_await directory->open("no/a", OpenMode::kCreate)), ENOENT);
  co_await put_file(*directory, "a", "hello");
  EXPECT_EQ(error_of(co_await directory->open("a", OpenMode::kCreateNew)), EEXIST);
  const FilePointer kept = must(co_await directory->open("a", OpenMode::kCreate));
  EXPECT_EQ(must(kept->size()), 5u);
  const FilePointer reader = must(co_await directory->open("a", OpenMode::kRead));
  const Result<void> refused = co_await write_text(*reader, 0, "x");
  EXPECT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), base::ErrorCode::kKafkaStorageError);
  must(co_await directory->open_directory("b", true));
  EXPECT_EQ(error_of(co_await directory->open("b", OpenMode::kRead)), EISDIR);
}
TEST_P(FileTest, each_open_mode_asks_for_what_it_says) { check(modes); }

Task<void> cached(Shard&, DirectoryPointer directory) {
  const FilePointer file = must(co_await directory->open("a", OpenMode::kCreateNew));
  must(co_await write_text(*file, 0, "hello"));
  base::ByteVector into(10);
  const Result<size_t> got = file->try_read(0, into);
  if (got.ok()) {
    EXPECT_EQ(*got, 5u);
    EXPECT_EQ(base::as_text(base::Bytes{into}.first(5)), "hello");
  } else {
    EXPECT_EQ(got.error().os_error, EAGAIN);
  }
}
TEST_P(FileTest, try_read_answers_at_once) { check(cached); }

Task<void> sync_all(Shard&, DirectoryPointer directory) {
  const FilePointer file = must(co_await directory->open("a", OpenMode::kCreateNew));
  must(co_await write_text(*file, 0, "hello"));
  must(co_await file->sync());
  must(co_await directory->sync());
  must(co_await directory->open_directory("b", true));
  must(co_await directory->sync("b"));
  EXPECT_EQ(error_of(co_await directory->sync("c")), ENOENT);
}
TEST_P(FileTest, files_and_directories_are_synced) { check(sync_all); }

Task<void> open_after_rename(Shard&, DirectoryPointer directory) {
  const FilePointer file = must(co_await directory->open("a", OpenMode::kCreateNew));
  must(co_await write_text(*file, 0, "hello"));
  must(co_await directory->rename("a", "b"));
  must(co_await write_text(*file, 5, "!"));
  EXPECT_EQ(co_await file_text(*directory, "b"), "hello!");
  must(co_await directory->remove("b"));
  EXPECT_EQ(co_await read_text(*file, 0, 100), "hello!");
}
TEST_P(FileTest, an_open_file_outlives_its_name) { check(open_after_rename); }

Task<void> sync_for_ever(File& file) {
  const Result<void> ignored = co_await file.sync();
  ADD_FAILURE() << "not cancelled " << ignored.ok();
}
Task<void> destroyed_under_way(Shard& shard, DirectoryPointer directory) {
  FilePointer file = must(co_await directory->open("a", OpenMode::kCreateNew));
  must(co_await write_text(*file, 0, "hello"));
  {
    TaskScope tasks{shard.executor(), [](std::exception_ptr) { FAIL(); }};
    tasks.spawn(sync_for_ever(*file));
    file.reset();
  }
  EXPECT_EQ(co_await file_text(*directory, "a"), "hello");
}
TEST_P(FileTest, a_sync_runs_on_when_frame_and_file_are_destroyed) { check(destroyed_under_way); }

Task<void> list_sorted(Shard&, DirectoryPointer directory) {
  co_await put_file(*directory, "b", "12");
  co_await put_file(*directory, "a", "1");
  must(co_await directory->open_directory("c/d", true));
  co_await put_file(*directory, "c/z", "");
  const std::vector<Entry> top = must(co_await directory->list());
  EXPECT_EQ(top.size(), 3u);
  if (top.size() != 3) co_return;
  EXPECT_EQ(top[0].name, "a");
  EXPECT_EQ(top[0].size, 1u);
  EXPECT_FALSE(top[0].directory);
  EXPECT_EQ(top[1].name, "b");
  EXPECT_EQ(top[2].name, "c");
  EXPECT_TRUE(top[2].directory);
  EXPECT_EQ(must(co_await directory->list("c")).size(), 2u);
  EXPECT_EQ(error_of(co_await directory->list("no")), ENOENT);
}
TEST_P(FileTest, a_list_is_sorted_and_tells_directories_and_sizes) { check(list_sorted); }

Task<void> renames(Shard&, DirectoryPointer directory) {
  co_await put_file(*directory, "a", "new");
  co_await put_file(*directory, "b", "old");
  must(co_await directory->rename("a", "b"));
  EXPECT_EQ(co_await file_text(*directory, "b"), "new");
  EXPECT_EQ(must(co_await directory->list()).size(), 1u);
  EXPECT_EQ(error_of(co_await directory->rename("a", "b")), ENOENT);
  must(co_await directory->open_directory("topic-0", true));
  co_await put_file(*directory, "topic-0/log", "x");
  must(co_await directory->rename("topic-0", "topic-0-delete"));
  EXPECT_EQ(co_await file_text(*directory, "topic-0-delete/log"), "x");
}
TEST_P(FileTest, a_rename_replaces_a_file_and_moves_a_directory) { check(renames); }

Task<void> removes(Shard&, DirectoryPointer directory) {
  EXPECT_EQ(error_of(co_await directory->remove("a")), ENOENT);
  co_await put_file(*directory, "a", "1");
  must(co_await directory->remove("a"));
  must(co_await directory->open_directory("t/u", true));
  co_await put_file(*directory, "t/u/x", "1");
  must(co_await directory->remove_tree("t"));
  must(co_await directory->remove_tree("t"));
  EXPECT_TRUE(must(co_await directory->list()).empty());
}
TEST_P(FileTest, remove_takes_a_file_and_remove_tree_all_that_is_there) { check(removes); }

Task<void> directories(Shard& shard, DirectoryPointer directory) {
  EXPECT_EQ(error_of(co_await directory->open_directory("t", false)), ENOENT);
  const DirectoryPointer inner = must(co_await directory->open_directory("t/u", true));
  EXPECT_EQ(inner->path(), directory->path() + "/t/u");
  const DirectoryPointer again = must(co_await shard.open_directory(inner->path(), false));
  co_await put_file(*inner, "x", "1");
  EXPECT_EQ(co_await file_text(*again, "x"), "1");
  EXPECT_EQ(error_of(co_await directory->open_directory("t/u/x", true)), ENOTDIR);
  EXPECT_GT(must(directory->space()).total_bytes, 0u);
}
TEST_P(FileTest, a_directory_is_made_with_its_parents) { check(directories); }

Task<void> locks(Shard&, DirectoryPointer directory) {
  std::unique_ptr<FileLock> held = must(directory->lock(".lock"));
  const auto second = directory->lock(".lock");
  EXPECT_FALSE(second.ok());
  if (!second.ok()) EXPECT_NE(second.error().message.find(directory->path() + "/.lock"), std::string::npos);
  EXPECT_FALSE(directory->lock(".lock").ok());
  held.reset();
  EXPECT_TRUE(directory->lock(".lock").ok());
  co_return;
}
TEST_P(FileTest, a_lock_is_held_once_until_it_is_destroyed) { check(locks); }

Task<void> atomically(Shard&, DirectoryPointer directory) {
  const base::Bytes longer = base::as_bytes("the first content");
  const base::Bytes shorter = base::as_bytes("second");
  must(co_await write_atomically(*directory, "a", {longer.begin(), longer.end()}));
  must(co_await write_atomically(*directory, "a", {shorter.begin(), shorter.end()}));
  EXPECT_EQ(co_await file_text(*directory, "a"), "second");
  EXPECT_EQ(must(co_await directory->list()).size(), 1u);
  must(co_await directory->open_directory("t", true));
  must(co_await write_atomically(*directory, "t/a", {}));
  EXPECT_EQ(co_await file_text(*directory, "t/a"), "");
}
TEST_P(FileTest, write_atomically_leaves_only_the_new_content) { check(atomically); }

Task<void> many(Shard&, DirectoryPointer directory) {
  must(co_await directory->open_directory("t/u", true));
  co_await put_file(*directory, "t/small", "12");
  co_await put_file(*directory, "t/large", "12345");
  must(co_await directory->replace("t/empty", {}, false));
  const auto found = must(co_await directory->read_directory("t", 4));
  EXPECT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0].entry.name, "empty");
  EXPECT_EQ(found[0].bytes, base::ByteVector{});
  EXPECT_EQ(found[1].entry.size, 5u);
  EXPECT_EQ(found[1].bytes, std::nullopt) << "too large";
  EXPECT_EQ(base::as_text(*found[2].bytes), "12");
  EXPECT_TRUE(found[3].entry.directory);
  EXPECT_EQ(error_of(co_await directory->read_directory("none", 4)), ENOENT);

  const auto each = co_await directory->read_each({"t/large", "t/none", "t/small"}, 4);
  EXPECT_EQ(each.size(), 3u);
  EXPECT_EQ(error_of(each[0]), EFBIG);
  EXPECT_EQ(error_of(each[1]), ENOENT);
  EXPECT_EQ(base::as_text(*each[2]), "12");
  must(co_await directory->sync_all());
}
TEST_P(FileTest, many_files_are_read_in_one_go) { check(many); }

Task<void> whole(Shard&, DirectoryPointer directory) {
  co_await put_file(*directory, "a", "12345");
  EXPECT_EQ(must(co_await read_whole(*directory, "a", 5)).size(), 5u);
  EXPECT_EQ(error_of(co_await read_whole(*directory, "a", 4)), EFBIG);
  EXPECT_EQ(error_of(co_await read_whole(*directory, "b", 4)), ENOENT);
}
TEST_P(FileTest, read_whole_refuses_more_than_it_is_allowed) { check(whole); }

}  // namespace
}  // namespace stele::io
