// The metadata log as it lies on disk, its snapshots, and its records one after the other.
#include "base/check.h"
#include "fuzz/input.h"
#include "fuzz/mend.h"
#include "fuzz/one_host.h"
#include "fuzz/target.h"
#include "metadata/delta.h"
#include "metadata/format.h"
#include "metadata/local_log.h"
#include "metadata/snapshot.h"

namespace stele::fuzz {

namespace {

using metadata::Delta;
using metadata::Image;
using metadata::ImagePtr;

constexpr base::Timestamp kNow{1'700'000'000'000};
const std::string kDirectory = "/data/__cluster_metadata-0";

// An image writes itself down so that the same image comes out of it.
void write_and_read(const Image& image) {
  const metadata::Records records = metadata::image_records(image);
  const auto read = metadata::read_snapshot(metadata::write_snapshot(image, kNow));
  STELE_CHECK(read.ok(), "a snapshot of ours cannot be read: {}", read.error().message);
  STELE_CHECK(metadata::image_records(**read) == records, "a snapshot says something else than its image");
}

ImagePtr replay(ImagePtr image, base::Bytes batches) {
  record::BatchReader reader{batches};
  while (true) {
    const auto batch = reader.next();
    if (!batch.ok() || !*batch) return image;
    Delta delta{image};
    if (!delta.apply_batch((*batch)->bytes()).ok()) return image;
    image = std::move(delta).finish();
  }
}

base::Task<void> use(io::Shard& shard) {
  auto directory = co_await shard.open_directory("/data", false);
  STELE_CHECK(directory.ok());
  auto log = co_await metadata::LocalLog::open(shard, *std::move(directory),
                                               {.node = base::BrokerId{1}, .directory = base::DirectoryId{4, 4}});
  if (!log.ok()) co_return;
  auto image = std::make_shared<const Image>();
  for (const metadata::SnapshotId id : (*log)->snapshots()) {
    const auto content = co_await (*log)->get_snapshot(id);
    if (!content.ok()) continue;
    if (auto read = metadata::read_snapshot(*content); read.ok()) image = *read;
  }
  for (base::Offset at = (*log)->start(); at < (*log)->end();) {
    const auto entries = co_await (*log)->read(at, 1 << 16);
    if (!entries.ok()) break;
    STELE_CHECK(entries->next_index > at, "reading stands still at {}", at.value());
    image = replay(image, entries->batches);
    at = entries->next_index;
  }
  const auto claim = co_await (*log)->claim();
  if (!claim.ok()) co_return;
  STELE_CHECK(claim->next_index == (*log)->end());
  const auto outcome = co_await (*log)->append(
      claim->epoch, claim->next_index,
      metadata::record_batch(claim->next_index, claim->epoch,
                             metadata::bootstrap_records(metadata::kMetadataVersionLatest), kNow));
  STELE_CHECK(outcome == metadata::AppendOutcome::kCommitted, "outcome {}", static_cast<int>(outcome));
}

}  // namespace

// | files: kind | base or end | epoch | 1: as it is, else mended | content
void metadata_log(base::Bytes bytes) {
  Input input{bytes};
  OneHost host;
  host.make_directory(kDirectory);
  while (!input.empty()) {
    const uint8_t kind = input.byte() % 6;
    const base::Offset base{input.byte()};
    const base::LeaderEpoch epoch{input.byte()};
    const bool as_it_is = input.byte() == 1;
    base::ByteVector content = exact(input.piece());
    if (!as_it_is) mend(content);
    const std::string names[] = {metadata::segment_name(base, ".log"),
                                 metadata::snapshot_name(base, epoch),
                                 "quorum-state",
                                 "leader-epoch-checkpoint",
                                 metadata::segment_name(base, ".index"),
                                 "partition.metadata"};
    host.put(kDirectory + "/" + names[kind], content);
    if (kind == 1) {
      if (const auto read = metadata::read_snapshot(content); read.ok()) write_and_read(**read);
      (void)metadata::read_snapshot_records(content);
    }
  }
  host.run(use);
}

// | record | record ...
void metadata_records(base::Bytes bytes) {
  Input input{bytes};
  auto image = std::make_shared<const Image>();
  while (!input.empty()) {
    const base::ByteVector record = exact(input.piece());
    Delta delta{image};
    if (delta.apply(record).ok()) image = std::move(delta).finish();
  }
  if (image->before_transaction == nullptr) write_and_read(*image);
}

}  // namespace stele::fuzz
