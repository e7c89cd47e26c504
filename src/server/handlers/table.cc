// The APIs of this broker, with the versions of Apache Kafka 4.3.1.
#include <array>

#include "server/handlers/handlers.h"
#include "server/router.h"

namespace stele::server {

namespace {

using enum RequestClass;
using enum Placement;

// Produce is advertised from version 0, though 3 is the first that is served: older librdkafka looks for exact versions
// and would otherwise send without compression (KAFKA-18659).
constexpr std::array kHandlers{
    Handler{.key = wire::ApiKey::kProduce,
            .min_version = 3,
            .max_version = 13,
            .request_class = kData,
            .placement = kHere,
            .pipelined = true,
            .handle = handlers::produce,
            .advertised_min = 0},
    Handler{.key = wire::ApiKey::kFetch,
            .min_version = 4,
            .max_version = 18,
            .request_class = kData,
            .handle = handlers::fetch},
    Handler{.key = wire::ApiKey::kListOffsets,
            .min_version = 1,
            .max_version = 11,
            .request_class = kData,
            .handle = handlers::list_offsets},
    Handler{.key = wire::ApiKey::kMetadata, .min_version = 0, .max_version = 13, .handle = handlers::metadata},
    Handler{.key = wire::ApiKey::kApiVersions, .min_version = 0, .max_version = 4, .handle = handlers::api_versions},
    Handler{.key = wire::ApiKey::kCreateTopics,
            .min_version = 2,
            .max_version = 7,
            .placement = kControl,
            .handle = handlers::create_topics},
    Handler{.key = wire::ApiKey::kDeleteTopics,
            .min_version = 1,
            .max_version = 6,
            .placement = kControl,
            .handle = handlers::delete_topics},
    Handler{
        .key = wire::ApiKey::kDeleteRecords, .min_version = 0, .max_version = 2, .handle = handlers::delete_records},
    Handler{.key = wire::ApiKey::kInitProducerId,
            .min_version = 0,
            .max_version = 5,
            .request_class = kData,
            .placement = kControl,
            .handle = handlers::init_producer_id},
    Handler{.key = wire::ApiKey::kOffsetForLeaderEpoch,
            .min_version = 2,
            .max_version = 4,
            .request_class = kData,
            .handle = handlers::offset_for_leader_epoch},
    Handler{.key = wire::ApiKey::kDescribeConfigs,
            .min_version = 1,
            .max_version = 4,
            .handle = handlers::describe_configs},
    Handler{.key = wire::ApiKey::kAlterConfigs,
            .min_version = 0,
            .max_version = 2,
            .placement = kControl,
            .handle = handlers::alter_configs},
    Handler{.key = wire::ApiKey::kDescribeLogDirs,
            .min_version = 1,
            .max_version = 5,
            .placement = kControl,
            .handle = handlers::describe_log_dirs},
    Handler{.key = wire::ApiKey::kCreatePartitions,
            .min_version = 0,
            .max_version = 3,
            .placement = kControl,
            .handle = handlers::create_partitions},
    Handler{.key = wire::ApiKey::kIncrementalAlterConfigs,
            .min_version = 0,
            .max_version = 1,
            .placement = kControl,
            .handle = handlers::incremental_alter_configs},
    Handler{.key = wire::ApiKey::kListPartitionReassignments,
            .min_version = 0,
            .max_version = 0,
            .handle = handlers::list_partition_reassignments},
    Handler{.key = wire::ApiKey::kDescribeCluster,
            .min_version = 0,
            .max_version = 2,
            .handle = handlers::describe_cluster},
    Handler{.key = wire::ApiKey::kListConfigResources,
            .min_version = 0,
            .max_version = 1,
            .handle = handlers::list_config_resources},
    Handler{.key = wire::ApiKey::kDescribeTopicPartitions,
            .min_version = 0,
            .max_version = 0,
            .handle = handlers::describe_topic_partitions},
};

}  // namespace

std::span<const Handler> all_handlers() { return kHandlers; }

}  // namespace stele::server
