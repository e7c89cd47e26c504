#include "wire/codec.h"

#include <gtest/gtest.h>

#include "wire/api_versions_response.h"
#include "wire/consumer_group_member_metadata_value.h"
#include "wire/fetch_request.h"
#include "wire/fetch_response.h"
#include "wire/metadata_request.h"
#include "wire/metadata_response.h"
#include "wire/topic_record.h"

namespace stele::wire {
namespace {

FetchRequest one_partition() {
  FetchRequest request;
  request.max_wait_ms = 500;
  auto& topic = request.topics.emplace_back();
  topic.topic = "letters";
  topic.partitions.push_back({.partition = 3, .fetch_offset = 42});
  return request;
}

TEST(Codec, a_message_survives_its_own_bytes) {
  const auto bytes = to_bytes(one_partition(), 11);
  ASSERT_TRUE(bytes.ok());
  const auto back = from_bytes<FetchRequest>(*bytes, 11);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, one_partition());
}

TEST(Codec, bytes_after_the_message_are_ignored) {
  auto bytes = *to_bytes(one_partition(), 11);
  bytes.push_back(std::byte{1});
  EXPECT_TRUE(from_bytes<FetchRequest>(bytes, 11).ok());
}

TEST(Codec, decoding_into_a_used_message_leaves_nothing_of_it) {
  FetchRequest request = one_partition();
  request.rack_id = "r1";
  const auto bytes = *to_bytes(FetchRequest{}, 4);
  Reader in{bytes};
  ASSERT_TRUE(decode(in, 4, request).ok());
  EXPECT_EQ(request, FetchRequest{});
}

TEST(Codec, what_a_version_cannot_express_is_refused_unless_ignorable) {
  MetadataRequest request;
  request.topics.reset();  // all topics: version 0 has no null
  const auto refused = to_bytes(request, 0);
  EXPECT_EQ(refused.code(), base::ErrorCode::kUnsupportedVersion);
  EXPECT_EQ(refused.error().message, "MetadataRequest v0 cannot express the value of topics");
  MetadataRequest no_creation;
  no_creation.allow_auto_topic_creation = false;
  EXPECT_EQ(to_bytes(no_creation, 3).code(), base::ErrorCode::kUnsupportedVersion);
  EXPECT_TRUE(to_bytes(no_creation, 4).ok());
  FetchRequest rack;
  rack.rack_id = "r1";
  EXPECT_TRUE(to_bytes(rack, 4).ok());
}

TEST(Codec, a_string_too_long_for_the_protocol_is_refused) {
  const std::string text(40'000, 'x');
  FetchRequest request;
  request.rack_id = text;
  EXPECT_EQ(to_bytes(request, 18).code(), base::ErrorCode::kUnsupportedVersion);
}

// An arena that is all a decoder may use.
class OnlyArena {
 public:
  std::pmr::memory_resource* operator&() { return &arena_; }  // NOLINT(google-runtime-operator): reads as an arena

 private:
  std::byte storage_[64 * 1024];
  std::pmr::monotonic_buffer_resource arena_{storage_, sizeof storage_, std::pmr::null_memory_resource()};
};

class NoHeap {
 public:
  NoHeap() : old_(std::pmr::set_default_resource(std::pmr::null_memory_resource())) {}
  ~NoHeap() { std::pmr::set_default_resource(old_); }
  NoHeap(const NoHeap&) = delete;
  NoHeap& operator=(const NoHeap&) = delete;

 private:
  std::pmr::memory_resource* old_;
};

TEST(Arena, decoding_and_building_take_everything_from_it) {
  const auto bytes = *to_bytes(one_partition(), 11);
  OnlyArena arena;
  const NoHeap no_heap;
  Reader in{bytes, &arena};
  FetchRequest request(&arena);
  ASSERT_TRUE(decode(in, 11, request).ok());
  EXPECT_EQ(request.topics[0].partitions[0].fetch_offset, 42);
  FetchResponse response(&arena);
  for (int i = 0; i < 5; ++i) {
    auto& partition = response.responses.emplace_back().partitions.emplace_back();
    partition.aborted_transactions->push_back({.producer_id = i, .first_offset = 1});
  }
  EXPECT_GT(encoded_size(response, 18), 0U);
}

TEST(Arena, a_message_that_was_made_without_one_is_decoded_into_it) {
  const auto bytes = *to_bytes(one_partition(), 11);
  OnlyArena arena;
  FetchRequest request = one_partition();
  Reader in{bytes, &arena};
  ASSERT_TRUE(decode(in, 11, request).ok());
  EXPECT_EQ(request.topics.get_allocator().resource(), &arena);
  EXPECT_EQ(request.topics[0].partitions.get_allocator().resource(), &arena);
}

TEST(Frame, a_response_frame_is_its_length_header_and_body) {
  const auto frame = response_frame(9, ApiVersionsResponse{}, 3);
  ASSERT_TRUE(frame.ok());
  // Header version 0 without tagged fields; error, empty array, throttle, no tags.
  EXPECT_EQ(base::to_hex(*frame),
            "0000000c00000009"
            "0000"
            "01"
            "00000000"
            "00");
  const auto flexible = response_frame(9, MetadataResponse{}, 12);
  EXPECT_EQ(base::to_hex(*flexible).substr(8, 10), "0000000900");
}

TEST(Frame, a_request_frame_names_its_api) {
  const auto frame = request_frame(7, "ab", MetadataRequest{}, 12);
  ASSERT_TRUE(frame.ok());
  EXPECT_EQ(base::to_hex(*frame).substr(0, 36),
            "00000011"
            "0003"
            "000c"
            "00000007"
            "0002"
            "6162"
            "00"
            "01");
}

TEST(Frame, records_can_be_left_out_and_go_between) {
  const std::string records = "the records of the first partition";
  FetchResponse response;
  auto& topic = response.responses.emplace_back();
  topic.topic = "letters";
  topic.partitions.emplace_back().records = base::as_bytes(records);
  topic.partitions.emplace_back().records = base::as_bytes("second");
  topic.partitions.emplace_back();
  const auto whole = *response_frame(9, response, 12);

  const auto size = measure_response_frame(response, 12);
  ASSERT_TRUE(size.ok());
  EXPECT_EQ(size->total, whole.size());
  EXPECT_EQ(size->records, records.size() + 6);
  base::ByteVector buffer(size->total - size->records);
  std::pmr::vector<LeftOut> left_out;
  Writer out{buffer, &left_out};
  encode_response_frame(out, 9, response, 12, *size);
  EXPECT_EQ(out.written(), buffer.size());
  ASSERT_EQ(left_out.size(), 2U);
  EXPECT_EQ(left_out[0].bytes.data(), base::as_bytes(records).data());

  base::ByteVector joined;
  size_t at = 0;
  for (const LeftOut& part : left_out) {
    base::append(joined, base::Bytes{buffer}.subspan(at, part.position - at));
    base::append(joined, part.bytes);
    at = part.position;
  }
  base::append(joined, base::Bytes{buffer}.subspan(at));
  EXPECT_EQ(base::to_hex(joined), base::to_hex(whole));
}

TEST(Tags, a_metadata_record_keeps_what_it_does_not_know) {
  // Tags 9 and 5, then 9 again: kept in order, the last of equal ones.
  auto bytes = base::from_hex(
      "02 61"
      "00000000000000010000000000000002"
      "03"
      "09 01 aa"
      "05 00"
      "09 02 bbcc");
  const auto record = from_bytes<TopicRecord>(bytes, 0);
  ASSERT_TRUE(record.ok()) << record.error().message;
  const auto again = to_bytes(*record, 0);
  EXPECT_EQ(base::to_hex(*again),
            "026100000000000000010000000000000002"
            "02"
            "0500"
            "0902bbcc");
}

TEST(Tags, the_last_of_equal_tags_wins) {
  // FetchRequest v12, cluster_id (tag 0) twice.
  FetchRequest request;
  auto bytes = *to_bytes(request, 12);
  bytes.pop_back();
  base::append(bytes, base::from_hex("02"
                                     "00 02 02 61"
                                     "00 02 02 62"));
  const auto back = from_bytes<FetchRequest>(bytes, 12);
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(back->cluster_id, "b");
}

TEST(Tags, a_known_tag_in_a_version_without_it_is_an_error) {
  auto bytes = *to_bytes(FetchRequest{}, 12);
  bytes.pop_back();
  base::append(bytes, base::from_hex("01"
                                     "01 01 00"));
  EXPECT_FALSE(from_bytes<FetchRequest>(bytes, 12).ok());
}

TEST(Tags, a_nullable_structure_in_a_tag_has_a_varint_before_it) {
  ConsumerGroupMemberMetadataValue value;
  EXPECT_TRUE(value.classic_member_metadata.has_value());
  value.classic_member_metadata.reset();
  const auto bytes = *to_bytes(value, 0);
  EXPECT_EQ(base::to_hex(bytes).substr(base::to_hex(bytes).size() - 8), "01000100");
  EXPECT_EQ(*from_bytes<ConsumerGroupMemberMetadataValue>(bytes, 0), value);
}

}  // namespace
}  // namespace stele::wire
