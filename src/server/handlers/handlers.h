// One function for each API: decode, call, encode, nothing else. What each does stands in the message's own
// documentation; where Kafka is followed to the letter, kafka-observed names are given at the line.
#pragma once

#include "base/task.h"
#include "server/call.h"

namespace stele::server::handlers {

base::Task<Outcome> api_versions(Call& call);
base::Task<Outcome> metadata(Call& call);
base::Task<Outcome> produce(Call& call);
base::Task<Outcome> fetch(Call& call);
base::Task<Outcome> list_offsets(Call& call);
base::Task<Outcome> init_producer_id(Call& call);
base::Task<Outcome> offset_for_leader_epoch(Call& call);
base::Task<Outcome> delete_records(Call& call);
base::Task<Outcome> describe_cluster(Call& call);
base::Task<Outcome> describe_topic_partitions(Call& call);
base::Task<Outcome> describe_log_dirs(Call& call);
base::Task<Outcome> create_topics(Call& call);
base::Task<Outcome> delete_topics(Call& call);
base::Task<Outcome> create_partitions(Call& call);
base::Task<Outcome> describe_configs(Call& call);
base::Task<Outcome> alter_configs(Call& call);
base::Task<Outcome> incremental_alter_configs(Call& call);
base::Task<Outcome> list_config_resources(Call& call);
base::Task<Outcome> list_partition_reassignments(Call& call);

}  // namespace stele::server::handlers
