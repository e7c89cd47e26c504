#include "app/rdkafka_handle.h"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <thread>

namespace stele::app {

using base::ErrorCode;

namespace {

void drop_line(const rd_kafka_t*, int, const char*, const char*) {}

}  // namespace

base::Result<RdConfig> make_rd_config(const ClientOptions& options, const std::vector<KeyValue>& settings) {
  RdConfig config{rd_kafka_conf_new()};
  rd_kafka_conf_set_log_cb(config.get(), drop_line);
  std::vector<KeyValue> all{{"bootstrap.servers", options.bootstrap}, {"client.id", "stele"}};
  all.insert(all.end(), settings.begin(), settings.end());
  for (const auto& [name, value] : all) {
    char reason[512];
    if (rd_kafka_conf_set(config.get(), name.c_str(), value.c_str(), reason, sizeof reason) != RD_KAFKA_CONF_OK) {
      return base::Error{ErrorCode::kInvalidConfig, fmt::format("{}={}: {}", name, value, reason), EINVAL};
    }
  }
  return config;
}

base::Result<RdClient> make_rd_client(rd_kafka_type_t type, RdConfig config) {
  char reason[512];
  rd_kafka_t* client = rd_kafka_new(type, config.get(), reason, sizeof reason);
  if (client == nullptr) return base::Error{ErrorCode::kInvalidConfig, reason, EINVAL};
  (void)config.release();  // the client's now
  return RdClient{client};
}

base::Error rd_error(rd_kafka_resp_err_t code, std::string_view what) {
  std::string sentence = fmt::format("{}: {}", what, rd_kafka_err2str(code));
  // The library's own codes are below -1; they mean nothing to the protocol.
  if (code < RD_KAFKA_RESP_ERR_UNKNOWN) return {ErrorCode::kNetworkException, std::move(sentence), EIO};
  return {static_cast<ErrorCode>(code), std::move(sentence)};
}

base::Result<Topic> find_topic(const ClientOptions& options, const std::string& name, bool may_create) {
  STELE_TRY_ASSIGN(AdminClient client, AdminClient::connect(options.bootstrap, options.timeout()));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{5};
  while (true) {
    STELE_TRY_ASSIGN(std::vector<Topic> topics, read_topics(client, std::vector{name}, may_create));
    if (topics.size() != 1) return {ErrorCode::kUnknownServerError, "the broker answered for other topics than asked"};
    Topic& topic = topics.front();
    if (!topic.error) return std::move(topic);
    const bool may_come = topic.error->code == ErrorCode::kLeaderNotAvailable ||
                          (may_create && topic.error->code == ErrorCode::kUnknownTopicOrPartition);
    if (!may_come || std::chrono::steady_clock::now() > deadline) return *topic.error;
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  }
}

}  // namespace stele::app
