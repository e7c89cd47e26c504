#include "app/record_source.h"

#include <fmt/format.h>

namespace stele::app {

namespace {

// With a full queue the library pauses for most of a second; with the default of 100,000 that is nearly always.
constexpr char kQueuedMessages[] = "1000000";

}  // namespace

base::Result<std::unique_ptr<RecordSource>> RecordSource::of_partitions(const ClientOptions& options,
                                                                        const std::string& topic,
                                                                        const std::vector<int32_t>& partitions,
                                                                        int64_t offset) {
  std::unique_ptr<RecordSource> source{new RecordSource};
  // An offset that is not there is an error to tell, not a reason to read from elsewhere.
  STELE_TRY_ASSIGN(RdConfig config, make_rd_config(options, {{"enable.partition.eof", "true"},
                                                             {"auto.offset.reset", "error"},
                                                             {"fetch.wait.max.ms", "100"},
                                                             {"queued.min.messages", kQueuedMessages}}));
  STELE_TRY_ASSIGN(source->client_, make_rd_client(RD_KAFKA_CONSUMER, std::move(config)));
  source->topic_.reset(rd_kafka_topic_new(source->client_.get(), topic.c_str(), nullptr));
  source->queue_.reset(rd_kafka_queue_new(source->client_.get()));
  for (const int32_t partition : partitions) {
    if (rd_kafka_consume_start_queue(source->topic_.get(), partition, offset, source->queue_.get()) != 0) {
      return rd_error(rd_kafka_last_error(), fmt::format("cannot read partition {} of '{}'", partition, topic));
    }
    source->started_.push_back(partition);
  }
  return source;
}

base::Result<std::unique_ptr<RecordSource>> RecordSource::of_group(const ClientOptions& options,
                                                                   const std::string& topic, const std::string& group,
                                                                   bool from_beginning) {
  std::unique_ptr<RecordSource> source{new RecordSource};
  STELE_TRY_ASSIGN(RdConfig config,
                   make_rd_config(options, {{"group.id", group},
                                            {"enable.partition.eof", "true"},
                                            {"enable.auto.offset.store", "false"},
                                            {"auto.offset.reset", from_beginning ? "earliest" : "latest"},
                                            {"fetch.wait.max.ms", "100"},
                                            {"queued.min.messages", kQueuedMessages}}));
  STELE_TRY_ASSIGN(source->client_, make_rd_client(RD_KAFKA_CONSUMER, std::move(config)));
  rd_kafka_poll_set_consumer(source->client_.get());
  const RdPartitions topics{rd_kafka_topic_partition_list_new(1)};
  rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  const rd_kafka_resp_err_t code = rd_kafka_subscribe(source->client_.get(), topics.get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return rd_error(code, fmt::format("cannot join group '{}'", group));
  return source;
}

RecordSource::~RecordSource() {
  for (const int32_t partition : started_) rd_kafka_consume_stop(topic_.get(), partition);
  if (client_ && !queue_) rd_kafka_consumer_close(client_.get());
}

base::Result<RdMessage> RecordSource::next(int timeout_ms) {
  RdMessage message{queue_ ? rd_kafka_consume_queue(queue_.get(), timeout_ms)
                           : rd_kafka_consumer_poll(client_.get(), timeout_ms)};
  // Without a group, the client's own events wait in another queue.
  if (queue_) rd_kafka_poll(client_.get(), 0);
  if (!message) return message;
  switch (message->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      ended_.erase(message->partition);
      return message;
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
      ended_.insert(message->partition);
      return RdMessage{};
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      return {base::ErrorCode::kOffsetOutOfRange,
              fmt::format("partition {} has no record at the offset that was asked for", message->partition)};
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
      return RdMessage{};  // the library connects again
    default:
      return rd_error(message->err, rd_kafka_message_errstr(message.get()));
  }
}

void RecordSource::done_with(const rd_kafka_message_t& message) {
  if (!queue_) rd_kafka_offset_store(message.rkt, message.partition, message.offset);
}

bool RecordSource::at_end() const {
  if (queue_) return ended_.size() == started_.size();
  rd_kafka_topic_partition_list_t* held = nullptr;
  if (rd_kafka_assignment(client_.get(), &held) != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
  const RdPartitions assigned{held};
  if (assigned->cnt == 0) return false;
  for (int i = 0; i < assigned->cnt; ++i) {
    if (!ended_.contains(assigned->elems[i].partition)) return false;
  }
  return true;
}

}  // namespace stele::app
