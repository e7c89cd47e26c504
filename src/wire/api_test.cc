#include "wire/api.h"

#include <gtest/gtest.h>

namespace stele::wire {
namespace {

const ApiInfo& api(ApiKey key) { return *find_api(static_cast<int16_t>(key)); }

base::Result<RequestHeader> header(base::ByteVector& bytes, std::string_view hex) {
  bytes = base::from_hex(hex);
  Reader in{bytes};
  return decode_request_header(in);
}

TEST(Api, the_table_is_what_kafka_4_3_has) {
  EXPECT_EQ(all_apis().size(), 89U);
  EXPECT_EQ(api(ApiKey::kFetch).name, "Fetch");
  EXPECT_EQ(api(ApiKey::kFetch).min_version, 4);
  EXPECT_EQ(api(ApiKey::kFetch).max_version, 18);
  EXPECT_EQ(api(ApiKey::kFetch).listeners, kOnBroker | kOnController);
  EXPECT_EQ(api(ApiKey::kVote).listeners, kOnController);
  EXPECT_EQ(api(ApiKey::kProduce).listeners, kOnBroker);
  EXPECT_EQ(api(ApiKey::kInitProducerId).max_version, 6);
  EXPECT_EQ(api(ApiKey::kInitProducerId).max_stable_version(), 5);
  EXPECT_EQ(find_api(4), nullptr);
  EXPECT_EQ(find_api(-1), nullptr);
  EXPECT_EQ(find_api(93), nullptr);
}

TEST(Api, headers_follow_the_version_but_for_api_versions) {
  EXPECT_EQ(api(ApiKey::kFetch).request_header_version(11), 1);
  EXPECT_EQ(api(ApiKey::kFetch).response_header_version(11), 0);
  EXPECT_EQ(api(ApiKey::kFetch).request_header_version(12), 2);
  EXPECT_EQ(api(ApiKey::kFetch).response_header_version(12), 1);
  EXPECT_EQ(api(ApiKey::kSaslHandshake).request_header_version(1), 1);
  EXPECT_EQ(api(ApiKey::kApiVersions).request_header_version(3), 2);
  EXPECT_EQ(api(ApiKey::kApiVersions).response_header_version(3), 0);
  // Versions that do not exist are read to be answered.
  EXPECT_EQ(api(ApiKey::kApiVersions).request_header_version(99), 2);
  EXPECT_EQ(api(ApiKey::kApiVersions).request_header_version(-1), 1);
}

TEST(RequestHeader, the_client_id_keeps_its_old_form) {
  base::ByteVector bytes;
  const auto flexible = header(bytes, "0001 000c 00000007 0002 6162 00");
  ASSERT_TRUE(flexible.ok()) << flexible.error().message;
  EXPECT_EQ(flexible->request_api_key, 1);
  EXPECT_EQ(flexible->correlation_id, 7);
  EXPECT_EQ(flexible->client_id, "ab");
  const auto old = header(bytes, "0001 000b 00000007 fffe");
  ASSERT_TRUE(old.ok());
  EXPECT_EQ(old->client_id, std::nullopt);
}

TEST(RequestHeader, tagged_fields_of_any_order_are_skipped) {
  base::ByteVector bytes;
  EXPECT_TRUE(header(bytes, "0001 000c 00000007 ffff 03 05 01 aa 02 00 05 00").ok());
  EXPECT_FALSE(header(bytes, "0001 000c 00000007 ffff 01 05 02 aa").ok());
}

TEST(RequestHeader, an_unknown_key_or_a_cut_header_is_an_error) {
  base::ByteVector bytes;
  EXPECT_EQ(header(bytes, "0004 0000 00000007 ffff").code(), base::ErrorCode::kInvalidRequest);
  EXPECT_EQ(header(bytes, "0001 00").code(), base::ErrorCode::kInvalidRequest);
  EXPECT_EQ(header(bytes, "0001 000c 00000007 ffff").code(), base::ErrorCode::kInvalidRequest);
}

}  // namespace
}  // namespace stele::wire
