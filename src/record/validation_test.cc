// Good and damaged batches with the answers of Apache Kafka's validation (testdata/validation.txt.gz, made by
// tests/peers/record_oracle: see Answer.java for the fields).
#include <gtest/gtest.h>
#include <zlib.h>

#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "record/builder.h"
#include "record/dump_for_test.h"
#include "record/validator.h"

namespace stele::record {
namespace {

constexpr base::Offset kFirstOffset{100};
constexpr base::LeaderEpoch kEpoch{7};

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == at) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::string unzipped(const char* path) {
  std::string text;
  gzFile file = gzopen(path, "rb");
  if (file == nullptr) return text;
  std::vector<char> piece(65536);
  for (int n = 0; (n = gzread(file, piece.data(), static_cast<unsigned>(piece.size()))) > 0;)
    text.append(piece.data(), n);
  gzclose(file);
  return text;
}

struct Case {
  std::string name;
  AppendRules rules;
  base::Timestamp now;
  base::ByteVector input;
  std::string answer;
};

std::vector<Case> cases() {
  std::istringstream file{unzipped(STELE_SOURCE_DIR "/src/record/testdata/validation.txt.gz")};
  std::vector<Case> all;
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> fields = split(line, '\t');
    Case one{fields[0], {}, {}, base::from_hex(fields[2]), fields[3]};
    for (size_t i = 4; i < fields.size(); ++i) one.answer += "\t" + fields[i];
    std::istringstream rules{fields[1]};
    int coordinator = 0;
    int append_time = 0;
    int codec = 0;
    int compacted = 0;
    int64_t now = 0;
    rules >> coordinator >> one.rules.produce_version >> append_time >> one.rules.before_max_ms >>
        one.rules.after_max_ms >> codec >> compacted >> one.rules.batch_bytes_max >> now;
    one.rules.partition = "topic-0";
    if (coordinator != 0) one.rules.origin = AppendOrigin::kCoordinator;
    if (append_time != 0) one.rules.timestamp_type = TimestampType::kLogAppendTime;
    if (codec >= 0) one.rules.codec = static_cast<Codec>(codec);
    one.rules.compacted = compacted != 0;
    one.now = base::Timestamp{now};
    all.push_back(std::move(one));
  }
  return all;
}

std::string refused(const Rejection& rejection) {
  std::string errors;
  for (const RecordError& error : rejection.record_errors) {
    errors += fmt::format("{}{}:{}", errors.empty() ? "" : "|", error.index, error.message);
  }
  return fmt::format("{}\t{}\t{}", static_cast<int>(rejection.code), errors.empty() ? "" : rejection.message, errors);
}

std::string good(std::string_view how, const StampedBatch& stamped, base::Bytes compared) {
  return fmt::format("0\t{}\t{}\t{}\t{:x}", how, stamped.max_timestamp.value(), stamped.last_offset.value(),
                     base::crc32c(compared));
}

std::string answer_to(const Case& one, Decompressor& decompressor) {
  base::ByteVector input = one.input;
  const auto validated = validate_append(input, one.rules, one.now, decompressor);
  if (!validated) return refused(validated.error());
  if (!validated->needs_rebuild) {
    const base::MutableBytes batch = base::MutableBytes{input}.first(validated->bytes.size());
    return good("kept", stamp(batch, *validated, kFirstOffset, kEpoch), batch);
  }
  const auto rebuilt = rebuild(*validated, one.rules, one.now, kFirstOffset, kEpoch, decompressor);
  if (!rebuilt) return refused(rebuilt.error());
  if (validated->codec == Codec::kNone) return good("rebuilt", rebuilt->stamped, rebuilt->bytes);
  return good("rebuilt", rebuilt->stamped, base::as_bytes(dump(rebuilt->bytes)));
}

// Where we differ on purpose: name, start of our answer. See docs/differences.md.
const std::map<std::string, std::string>& differences() {
  static const std::map<std::string, std::string> kOurs{
      // The length overflows in Kafka's arithmetic, which then answers -1.
      {"none-length 2147483647", "2\t"},
      {"gzip-length 2147483647", "2\t"},
      {"snappy-length 2147483647", "2\t"},
      {"lz4-length 2147483647", "2\t"},
      {"zstd-length 2147483647", "2\t"},
      // A record that claims 2 GiB: Kafka allocates them, runs out of memory and answers -1.
      {"snappy-handmade-5-to-gzip", "87\t"},
      {"lz4-handmade-5-to-gzip", "87\t"},
      {"zstd-handmade-5-to-gzip", "87\t"},
      // A header key that is no UTF-8: Kafka puts U+FFFD in its place when it compresses anew, we keep the bytes.
      {"snappy-damage-8", "0\trebuilt"},
      {"snappy-damage-32", "0\trebuilt"},
      {"zstd-damage-56", "0\trebuilt"},
  };
  return kOurs;
}

TEST(validation, answers_as_kafka_does) {
  const std::vector<Case> all = cases();
  ASSERT_GT(all.size(), 1500u);
  Decompressor decompressor;
  std::map<std::string, int> answers;
  for (const Case& one : all) {
    const std::string ours = answer_to(one, decompressor);
    if (const auto difference = differences().find(one.name); difference != differences().end()) {
      EXPECT_NE(ours, one.answer) << one.name << " is no difference any more";
      EXPECT_TRUE(ours.starts_with(difference->second)) << one.name << " " << ours;
    } else {
      EXPECT_EQ(ours, one.answer) << one.name;
    }
    ++answers[one.answer.substr(0, one.answer.find('\t'))];
  }
  // The table would prove little if it held one kind of answer alone.
  for (const char* code : {"0", "-1", "2", "10", "32", "76", "87"}) EXPECT_GT(answers[code], 3) << code;
}

TEST(validation, keeps_a_thousand_record_errors_and_counts_the_rest) {
  BatchBuilder builder{{}};
  for (int i = 0; i < 3000; ++i) builder.add({.timestamp = base::Timestamp{1}, .value = base::as_bytes("v")});
  const base::ByteVector batch = std::move(builder).build();
  AppendRules rules;
  rules.compacted = true;
  Decompressor decompressor;
  const auto validated = validate_append(batch, rules, base::Timestamp{1}, decompressor);
  ASSERT_FALSE(validated.has_value());
  EXPECT_EQ(validated.error().record_errors.size(), kRecordErrorsMax);
  EXPECT_NE(validated.error().message.find("due to 3000 record errors"), std::string::npos);
}

TEST(validation, stops_a_batch_that_unfolds_beyond_the_limit) {
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    BatchBuilder builder{{.codec = codec}};
    const base::ByteVector zeros(3'000'000);
    builder.add({.timestamp = base::Timestamp{1}, .value = base::Bytes{zeros}});
    const base::ByteVector batch = std::move(builder).build();
    Decompressor wide;
    EXPECT_TRUE(validate_append(batch, {}, base::Timestamp{1}, wide).has_value()) << codec_name(codec);
    Decompressor small{{.output_bytes_max = 2'000'000}};
    const auto refused = validate_append(batch, {}, base::Timestamp{1}, small);
    ASSERT_FALSE(refused.has_value()) << codec_name(codec);
    EXPECT_EQ(refused.error().code, base::ErrorCode::kMessageTooLarge);
    Decompressor dense{{.ratio_max = 2, .ratio_from = 1'000'000}};
    EXPECT_FALSE(validate_append(batch, {}, base::Timestamp{1}, dense).has_value()) << codec_name(codec);
  }
}

TEST(validation, writes_no_batch_anew_whose_records_are_larger_than_the_limit) {
  const std::string zeros(size_t{2} << 20, '\0');
  BatchBuilder builder{{.codec = Codec::kZstd}};
  builder.add({.timestamp = base::Timestamp{1'700'000'000'000}, .value = base::as_bytes(zeros)});
  const base::ByteVector bytes = std::move(builder).build();
  const AppendRules rules{.partition = "t-0", .batch_bytes_max = size_t{8} << 20, .codec = Codec::kNone};
  for (const uint64_t limit : {uint64_t{1} << 20, uint64_t{3} << 20}) {
    Decompressor decompressor{{.rebuild_bytes_max = limit}};
    const auto validated = validate_append(bytes, rules, base::Timestamp{1'700'000'000'000}, decompressor);
    ASSERT_TRUE(validated && validated->needs_rebuild);
    const auto rebuilt =
        rebuild(*validated, rules, base::Timestamp{1'700'000'000'000}, kFirstOffset, kEpoch, decompressor);
    if (limit > zeros.size()) {
      EXPECT_TRUE(rebuilt);
      continue;
    }
    ASSERT_FALSE(rebuilt);
    EXPECT_EQ(rebuilt.error().code, base::ErrorCode::kMessageTooLarge);
    EXPECT_NE(rebuilt.error().message.find("stele.batch.rebuilt.bytes.max"), std::string::npos);
  }
}

TEST(validation, holds_one_window_whatever_the_batch_unfolds_to) {
  Decompressor decompressor;
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    BatchBuilder builder{{.codec = codec}};
    const base::ByteVector zeros(20'000'000);
    builder.add({.timestamp = base::Timestamp{1}, .value = base::Bytes{zeros}});
    const base::ByteVector batch = std::move(builder).build();
    ASSERT_TRUE(validate_append(batch, {}, base::Timestamp{1}, decompressor).has_value());
    EXPECT_LE(decompressor.memory(), 2 * kWindowKept) << codec_name(codec);
  }
}

}  // namespace
}  // namespace stele::record
