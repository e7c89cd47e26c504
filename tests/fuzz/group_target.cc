// The records of __consumer_offsets: one by one, and a whole partition of them as a coordinator loads it.
#include "base/check.h"
#include "coordinator/group/group_loader.h"
#include "coordinator/group/record_codec.h"
#include "fuzz/input.h"
#include "fuzz/silent_log.h"
#include "fuzz/target.h"
#include "record/builder.h"

namespace stele::fuzz {

namespace {

using coordinator::GroupCoordinator;
using coordinator::GroupLogRecord;

std::optional<base::Bytes> value_of(const std::optional<base::ByteVector>& value) {
  return value ? std::optional<base::Bytes>{*value} : std::nullopt;
}

void back_and_forth(base::Bytes key, std::optional<base::Bytes> value) {
  const auto decoded = coordinator::decode_group_record(key, value);
  if (!decoded.ok()) return;
  const auto* record = std::get_if<GroupLogRecord>(&*decoded);
  if (record == nullptr) return;
  const auto encoded = coordinator::encode_group_record(*record);
  STELE_CHECK(encoded.ok(), "{}", encoded.error().message);
  const auto again = coordinator::decode_group_record(encoded->key, value_of(encoded->value));
  STELE_CHECK(again.ok() && std::holds_alternative<GroupLogRecord>(*again));
  const auto twice = coordinator::encode_group_record(std::get<GroupLogRecord>(*again));
  STELE_CHECK(twice.ok() && twice->key == encoded->key && twice->value == encoded->value);
}

void load(GroupCoordinator& group, base::LogSink& log, base::Bytes batch) {
  record::Decompressor decompressor;
  coordinator::GroupLoader loader{group, decompressor, log};
  (void)loader.load(batch);
  loader.finish(0);
}

}  // namespace

// | 1: the rest is batches | else | key | value | key | value ...; a value of 65535 bytes is a tombstone
void group_records(base::Bytes bytes) {
  Input input{bytes};
  SilentLog log;
  base::SeededRandom random{3};
  StoppedClock clock;
  base::Complaints complaints{log, clock};
  GroupCoordinator group{{.groups_max = 100}, random, complaints};
  if (input.byte() == 1) {
    load(group, log, exact(input.rest()));
  } else {
    record::BatchBuilder builder{{}};
    while (!input.empty()) {
      const base::ByteVector key = exact(input.piece());
      const uint16_t size = input.number();
      const base::ByteVector value = exact(size == 0xffff ? base::Bytes{} : input.take(size));
      const std::optional<base::Bytes> given = size == 0xffff ? std::nullopt : std::optional<base::Bytes>{value};
      back_and_forth(key, given);
      builder.add({.timestamp = base::Timestamp{1}, .key = base::Bytes{key}, .value = given});
    }
    if (builder.record_count() == 0) return;
    load(group, log, std::move(builder).build());
  }
  const coordinator::Now now{base::MonoTime{}, base::Timestamp{1'700'000'000'000}};
  (void)group.loaded(now);
  (void)group.handle({1, coordinator::ListGroups{}}, now);
}

}  // namespace stele::fuzz
