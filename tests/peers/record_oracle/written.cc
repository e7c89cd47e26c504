// Writes batches of ours, for Kafka's classes to read: `record_written <file>`, one line each of name, bytes in hex,
// and what we read in them. See RecordOracle.java.
#include <fmt/format.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "record/builder.h"
#include "record/control.h"
#include "record/dump_for_test.h"
#include "record/validator.h"

namespace stele::record {
namespace {

constexpr int64_t kTime = 1'700'000'000'000;

class Lines {
 public:
  explicit Lines(const char* path) : file_(path) {}
  void add(const std::string& name, base::Bytes bytes) {
    file_ << name << '\t' << base::to_hex(bytes) << '\t' << dump(bytes) << '\n';
  }
  bool ok() { return file_.flush().good(); }

 private:
  std::ofstream file_;
};

// Records of every shape; `seed` varies their content.
base::ByteVector batch(const BatchOptions& options, uint32_t seed, int count) {
  BatchBuilder builder{options};
  uint32_t state = seed;
  const auto next = [&state] { return state = state * 1664525U + 1013904223U; };
  for (int i = 0; i < count; ++i) {
    base::ByteVector value(next() % 3 == 0 ? next() >> 18 : next() % 40);
    const bool noise = next() % 2 == 0;
    for (std::byte& byte : value) byte = noise ? static_cast<std::byte>(next() >> 24) : std::byte{'x'};
    const std::string key = fmt::format("key-{}", i);
    const std::vector<HeaderView> headers(next() % 3,
                                          {base::as_bytes("name"), i % 2 == 0 ? NullableBytes{value} : std::nullopt});
    builder.add({.timestamp = base::Timestamp{kTime + next() % 1000},
                 .key = i % 3 == 0 ? NullableBytes{} : base::as_bytes(key),
                 .value = i % 5 == 4 ? NullableBytes{} : base::Bytes{value},
                 .headers = headers});
  }
  return std::move(builder).build();
}

std::vector<int32_t> levels_of(Codec codec) {
  switch (codec) {
    case Codec::kGzip:
      return {kDefaultLevel, -1, 1, 9};
    case Codec::kLz4:
      return {kDefaultLevel, 1, 9, 17};
    case Codec::kZstd:
      return {kDefaultLevel, -100, 3, 22};
    default:
      return {kDefaultLevel};
  }
}

void write_built(Lines& lines) {
  for (const Codec codec : {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    for (const int32_t level : levels_of(codec)) {
      for (const int count : {1, 3, 40}) {
        BatchOptions options{
            .base_offset = base::Offset{1000}, .leader_epoch = base::LeaderEpoch{3}, .codec = codec, .level = level};
        const std::string name = fmt::format("{} level {} count {}", codec_name(codec), level, count);
        lines.add(name, batch(options, static_cast<uint32_t>(count), count));
        options.producer_id = base::ProducerId{12};
        options.producer_epoch = base::ProducerEpoch{1};
        options.base_sequence = INT32_MAX - 1;
        options.is_transactional = true;
        options.timestamp_type = TimestampType::kLogAppendTime;
        options.append_time = base::Timestamp{kTime + 5000};
        lines.add(name + " transactional, append time", batch(options, 99, count));
      }
    }
  }
}

// Batches as the broker stores them: patched in place, and with the codec of the topic.
void write_stored(Lines& lines) {
  Decompressor decompressor;
  for (const Codec from : {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    base::ByteVector bytes = batch({.codec = from}, 5, 20);
    for (const Codec to : {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
      AppendRules rules;
      rules.codec = to;
      const base::Timestamp now{kTime + 2000};
      const auto validated = validate_append(bytes, rules, now, decompressor);
      if (!validated || !validated->needs_rebuild) continue;
      const auto rebuilt = rebuild(*validated, rules, now, base::Offset{77}, base::LeaderEpoch{2}, decompressor);
      if (rebuilt) lines.add(fmt::format("{} stored as {}", codec_name(from), codec_name(to)), rebuilt->bytes);
    }
    AppendRules rules;
    rules.timestamp_type = TimestampType::kLogAppendTime;
    const auto validated = validate_append(bytes, rules, base::Timestamp{kTime + 9000}, decompressor);
    if (!validated) continue;
    stamp(bytes, *validated, base::Offset{500}, base::LeaderEpoch{8});
    lines.add(fmt::format("{} stamped", codec_name(from)), bytes);
  }
}

void write_control(Lines& lines) {
  const ControlBatchOptions options{base::Offset{9}, base::LeaderEpoch{4}, base::Timestamp{kTime}};
  for (const bool commit : {true, false}) {
    lines.add(commit ? "commit" : "abort",
              build_marker_batch(options, base::ProducerId{5}, base::ProducerEpoch{6}, {commit, 77}));
  }
  const base::ByteVector footer = base::from_hex("000000");
  lines.add("snapshot footer", build_control_batch(options, ControlType::kSnapshotFooter, footer));
}

}  // namespace
}  // namespace stele::record

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  stele::record::Lines lines{argv[1]};
  stele::record::write_built(lines);
  stele::record::write_stored(lines);
  stele::record::write_control(lines);
  return lines.ok() ? 0 : 1;
}
