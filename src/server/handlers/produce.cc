#include "broker/produce_job.h"
#include "server/handlers/cluster.h"
#include "server/handlers/handlers.h"
#include "wire/produce_request.h"
#include "wire/produce_response.h"

namespace stele::server::handlers {

namespace {

using base::ErrorCode;
using broker::ProduceItem;

constexpr int16_t kFirstVersionById = 13;

// The frame's lease, held until the records in it are written.
class HeldFrame final : public broker::HeldBytes {
 public:
  HeldFrame(Lease lease, Budget* budget) : lease_(std::move(lease)), budget_(budget) {}
  ~HeldFrame() override {
    if (beside_ > 0 && lease_.pool_is_there()) budget_->release(beside_);
  }
  HeldFrame(const HeldFrame&) = delete;
  HeldFrame& operator=(const HeldFrame&) = delete;
  void held_beside(size_t bytes) override {
    if (budget_ == nullptr || !lease_) return;
    budget_->force(bytes);
    beside_ += bytes;
  }

 private:
  Lease lease_;
  Budget* budget_;
  size_t beside_ = 0;
};

struct Place {
  size_t topic = 0;
  size_t partition = 0;
};

// Kafka's own Admin client may write to internal topics (AdminUtils.ADMIN_CLIENT_ID).
constexpr std::string_view kAdminClient = "__admin_client";

bool is_transactional(base::Bytes records) {
  constexpr size_t kMagicAt = 16;
  constexpr size_t kAttributesAt = 22;  // the low byte
  constexpr std::byte kTransactional{0x10};
  return records.size() > kAttributesAt && records[kMagicAt] == std::byte{2} &&
         (records[kAttributesAt] & kTransactional) != std::byte{};
}

// Transactions are not served, and a batch of one that nobody can end would hold back every reader of committed
// records. Without a transactional id Kafka refuses the whole request; with one that it does not know, the batch.
ErrorCode refusal_of_transactions(const wire::ProduceRequest& request) {
  if (request.transactional_id) return ErrorCode::kNone;
  for (const auto& topic : request.topic_data) {
    for (const auto& partition : topic.partition_data) {
      if (partition.records && is_transactional(*partition.records)) {
        return ErrorCode::kTransactionalIdAuthorizationFailed;
      }
    }
  }
  return ErrorCode::kNone;
}

// One item for each partition of the request; a partition that is named twice is written twice, where Kafka drops the
// first batch in silence.
std::vector<ProduceItem> items_of(const Call& call, const wire::ProduceRequest& request) {
  const bool bad_acks = request.acks < -1 || request.acks > 1;
  const ErrorCode transactions = refusal_of_transactions(request);
  std::vector<ProduceItem> items;
  for (const auto& topic : request.topic_data) {
    const TopicLookup found = find_topic(call, call.version() >= kFirstVersionById, topic.name, topic.topic_id);
    for (const auto& partition : topic.partition_data) {
      ProduceItem& item = items.emplace_back();
      item.result.code = bad_acks ? ErrorCode::kInvalidRequiredAcks
                         : transactions != ErrorCode::kNone
                             ? transactions
                             : check_partition(found, base::PartitionIndex{partition.index});
      if (item.result.code != ErrorCode::kNone) continue;
      item.key = {found.topic->id, base::PartitionIndex{partition.index}};
      if (!partition.records) {
        item.result.code = ErrorCode::kInvalidRecord;
        item.result.message = "the records are null";
        continue;
      }
      if (is_transactional(*partition.records)) {
        item.result.code = ErrorCode::kInvalidProducerIdMapping;
        continue;
      }
      if (is_internal(found.topic->name) && call.client_id() != kAdminClient) {
        item.result.code = ErrorCode::kInvalidTopicException;
        continue;
      }
      // The bytes are those of the request's own frame buffer, which nobody else reads any more.
      item.records = {const_cast<std::byte*>(partition.records->data()), partition.records->size()};
    }
  }
  return items;
}

void fill(Call& call, const ProduceItem& item, wire::ProduceResponse::PartitionProduceResponse& out) {
  const broker::AppendResult& result = item.result;
  out.error_code = static_cast<int16_t>(result.code);
  out.base_offset = result.base_offset.value();
  out.log_append_time_ms = result.log_append_time.value();
  out.log_start_offset = result.log_start_offset.value();
  if (!result.message.empty()) out.error_message = call.keep(result.message);
  for (const record::RecordError& error : result.record_errors) {
    auto& entry = out.record_errors.emplace_back();
    entry.batch_index = error.index;
    if (!error.message.empty()) entry.batch_index_error_message = call.keep(error.message);
  }
}

}  // namespace

base::Task<Outcome> produce(Call& call) {
  auto request = call.decode<wire::ProduceRequest>();
  if (!request.ok()) co_return call.refuse(request.error());
  const auto job = broker::ProduceJob::start(call.broker(), items_of(call, *request),
                                             {.origin = record::AppendOrigin::kClient, .version = call.version()},
                                             std::make_unique<HeldFrame>(call.lease(), call.budget()));
  if (!job->done.is_set()) {
    BudgetCharge waiting;
    waiting.add(call.produce_waiters(), 1);
    co_await job->done.wait();
  }

  auto response = call.make<wire::ProduceResponse>();
  size_t next = 0;
  bool failed = false;
  bool moved = false;
  for (const auto& topic : request->topic_data) {
    auto& topic_out = response.responses.emplace_back();
    topic_out.name = topic.name;
    topic_out.topic_id = topic.topic_id;
    for (const auto& partition : topic.partition_data) {
      const ProduceItem& item = job->items[next++];
      auto& out = topic_out.partition_responses.emplace_back();
      out.index = partition.index;
      fill(call, item, out);
      failed |= item.result.code != ErrorCode::kNone;
      moved |= item.result.code == ErrorCode::kNotLeaderOrFollower;
    }
  }
  if (moved && call.version() >= 10) add_node_endpoints(call, response.node_endpoints);
  if (request->acks == 0) co_return failed ? Outcome::kClose : Outcome::kSilent;
  co_return call.respond(response);
}

}  // namespace stele::server::handlers
