// Which partition of __consumer_offsets a group belongs to.
#pragma once

#include <cstdint>
#include <string_view>

namespace stele::coordinator {

// Java's String.hashCode() of a UTF-8 text.
int32_t java_hash(std::string_view text);

// Kafka's Utils.abs(groupId.hashCode()) % partitions; partitions > 0.
int32_t partition_of_group(std::string_view group_id, int32_t partitions);

}  // namespace stele::coordinator
