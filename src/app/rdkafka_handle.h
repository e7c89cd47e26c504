// librdkafka with owners, and its errors as ours.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/common_options.h"
#include "app/topic_admin.h"
#include "base/result.h"

namespace stele::app {

template <auto Destroy>
struct RdDelete {
  template <class T>
  void operator()(T* owned) const {
    Destroy(owned);
  }
};
using RdClient = std::unique_ptr<rd_kafka_t, RdDelete<rd_kafka_destroy>>;
using RdConfig = std::unique_ptr<rd_kafka_conf_t, RdDelete<rd_kafka_conf_destroy>>;
using RdTopic = std::unique_ptr<rd_kafka_topic_t, RdDelete<rd_kafka_topic_destroy>>;
using RdQueue = std::unique_ptr<rd_kafka_queue_t, RdDelete<rd_kafka_queue_destroy>>;
using RdMessage = std::unique_ptr<rd_kafka_message_t, RdDelete<rd_kafka_message_destroy>>;
using RdHeaders = std::unique_ptr<rd_kafka_headers_t, RdDelete<rd_kafka_headers_destroy>>;
using RdPartitions = std::unique_ptr<rd_kafka_topic_partition_list_t, RdDelete<rd_kafka_topic_partition_list_destroy>>;

// A config for the brokers named on the command line that writes no log lines. kInvalidConfig for a bad setting.
base::Result<RdConfig> make_rd_config(const ClientOptions& options, const std::vector<KeyValue>& settings);
// Takes the config whatever comes of it.
base::Result<RdClient> make_rd_client(rd_kafka_type_t type, RdConfig config);
// What the broker said with the protocol's code; what the library found by itself as a sentence alone.
base::Error rd_error(rd_kafka_resp_err_t code, std::string_view what);

// Asks the brokers for a topic before records go to or come from it: a clear answer where nobody listens or there is no
// such topic. With `may_create` the brokers may make it, if they are set so.
base::Result<Topic> find_topic(const ClientOptions& options, const std::string& name, bool may_create);

}  // namespace stele::app
