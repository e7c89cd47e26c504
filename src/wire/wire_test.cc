#include <gtest/gtest.h>

#include "wire/codec.h"
#include "wire/fetch_request.h"

namespace stele::wire {
namespace {

TEST(Codec, a_message_survives_its_own_bytes) {
  FetchRequest request;
  request.max_wait_ms = 500;
  auto& topic = request.topics.emplace_back();
  topic.topic = "letters";
  topic.partitions.push_back({.partition = 3, .fetch_offset = 42});
  const auto bytes = to_bytes(request, 11);
  ASSERT_TRUE(bytes.ok());
  const auto back = from_bytes<FetchRequest>(*bytes, 11);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, request);
}

}  // namespace
}  // namespace stele::wire
