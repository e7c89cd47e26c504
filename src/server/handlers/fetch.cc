#include <algorithm>

#include "broker/fetch_job.h"
#include "server/fetch_session.h"
#include "server/handlers/cluster.h"
#include "server/handlers/handlers.h"
#include "wire/fetch_request.h"
#include "wire/fetch_response.h"

namespace stele::server::handlers {

namespace {

using base::ErrorCode;
using broker::FetchItem;

constexpr int16_t kFirstVersionById = 13;
constexpr int8_t kReadCommitted = 1;
constexpr size_t kItemsPerTurn = 512;  // of a request with many partitions; then other connections get their turn

// What a range of a file is charged until it is sent: it is no memory of ours, but it keeps the file open and fills the
// kernel's buffers, and those who do not read must not have any number of them.
constexpr size_t kRangeCharge = size_t{64} << 10;

// The buffers that the answer's records lie in, charged until they are sent.
struct Buffers {
  std::vector<std::shared_ptr<const std::byte[]>> all;
  BudgetCharge charge;
};

// What a partition that is read takes beside the answer: the wish, the item with the copies of it that go to the owner
// and come back, or else its watch.
constexpr size_t kBytesPerPartition = sizeof(FetchWish) + 3 * sizeof(FetchItem) + 2 * sizeof(size_t) +
                                      3 * sizeof(broker::WatchItem) + sizeof(broker::PartitionWatch) +
                                      2 * sizeof(void*) + sizeof(std::shared_ptr<broker::Partition>);

size_t bytes_of(const std::vector<FetchWish>& wishes) {
  const size_t inside = std::string{}.capacity();
  size_t bytes = wishes.size() * kBytesPerPartition;
  for (const FetchWish& wish : wishes) {
    if (wish.key.topic.size() > inside) bytes += wish.key.topic.size() + 1;
  }
  return bytes;
}

// One fetch while it is worked on: what is wanted, in order, and what was read of it.
struct Fetch {
  const wire::FetchRequest& request;
  FetchSessions::Opened opened;
  std::vector<FetchItem> items;  // beside opened.wishes
  std::vector<bool> known;       // the partition is in the image
};

// A reader that gets no session, or lost it: it names its partitions each time. Where many read, all slots are in use
// all the time, which is worth no line.
void tell_limit(const Call& call, base::Limit limit) {
  if (limit == base::Limit::kFetchSessionSlots) return call.complaints().count(limit);
  call.complaints().reached(limit, "no fetch session for {}:{} (client id \"{}\"): it names too many partitions",
                            call.connection().client_address, call.connection().client_port, call.client_id());
}

base::Task<void> resolve(const Call& call, Fetch& fetch) {
  const bool by_id = call.version() >= kFirstVersionById;
  fetch.items.reserve(fetch.opened.wishes.size());
  fetch.known.reserve(fetch.opened.wishes.size());
  for (const FetchWish& wish : fetch.opened.wishes) {
    if (fetch.items.size() % kItemsPerTurn == kItemsPerTurn - 1)
      co_await base::give_way(call.broker().shard().executor());
    FetchItem& item = fetch.items.emplace_back();
    const TopicLookup found = find_topic(call, by_id, wish.key.topic, wish.key.topic_id);
    const base::PartitionIndex index{wish.key.partition};
    item.code = check_partition(found, index);
    fetch.known.push_back(item.code == ErrorCode::kNone);
    if (item.code != ErrorCode::kNone) continue;
    if (fetch.request.replica_id >= 0 || fetch.request.replica_state.replica_id >= 0) {
      // No other broker holds a replica (Partition.followerReplicaOrThrow of Kafka).
      item.code = wish.current_leader_epoch >= 0 ? ErrorCode::kUnknownLeaderEpoch : ErrorCode::kNotLeaderOrFollower;
      fetch.known.back() = false;
      continue;
    }
    item.code = ErrorCode::kNotLeaderOrFollower;
    item.key = {found.topic->id, index};
    item.offset = base::Offset{wish.offset};
    item.bytes_max = wish.bytes_max;
    item.current_leader_epoch = std::max(wish.current_leader_epoch, base::kNoLeaderEpoch.value());
    item.last_fetched_epoch = wish.last_fetched_epoch;
  }
}

base::Task<void> read_all(Call& call, Fetch& fetch) {
  std::vector<FetchItem> wanted;
  for (size_t i = 0; i < fetch.items.size(); ++i) {
    if (fetch.known[i]) wanted.push_back(fetch.items[i]);
  }
  // What waits to be sent counts against the budget of producers and consumers: the nearer it is to its limit, the less
  // is read at once, down to a single batch.
  const auto room = static_cast<int64_t>(call.budget() != nullptr ? call.budget()->available() : 0);
  const broker::FetchParams params{
      .read_committed = fetch.request.isolation_level == kReadCommitted,
      .may_send = call.connection().sends_files,
      .bytes_max = std::min({int64_t{fetch.request.max_bytes}, call.limits().fetch_bytes_max, room})};
  co_await broker::on_owners(call.broker(), wanted, params, &broker::fetch_here);
  // Each shard read for itself up to the limit of the request; together they may have read more.
  int64_t left = params.bytes_max;
  bool first = true;
  size_t next = 0;
  for (size_t i = 0; i < fetch.items.size(); ++i) {
    if (!fetch.known[i]) continue;
    FetchItem& item = fetch.items[i] = std::move(wanted[next++]);
    if (item.bytes() == 0) continue;
    const auto size = static_cast<int64_t>(item.bytes());
    if (size > left && !first) {
      item.drop_records();
      continue;
    }
    left -= size;
    first = false;
  }
}

// Whether there is nothing to wait for (DelayedFetch and ReplicaManager.fetchMessages of Kafka). Partitions that the
// image does not have do not end the wait of others.
bool complete(const Fetch& fetch, int64_t& bytes_missing) {
  const wire::FetchRequest& request = fetch.request;
  int64_t bytes = 0;
  bool any_known = false;
  bool ends_wait = false;
  for (size_t i = 0; i < fetch.items.size(); ++i) {
    if (!fetch.known[i]) continue;
    any_known = true;
    ends_wait |=
        fetch.items[i].code != ErrorCode::kNone || fetch.items[i].diverging.has_value() || fetch.items[i].older_segment;
    bytes += static_cast<int64_t>(fetch.items[i].bytes());
  }
  bytes_missing = std::min<int64_t>(request.min_bytes, request.max_bytes) - bytes;
  return request.max_wait_ms <= 0 || !any_known || ends_wait || bytes_missing <= 0;
}

std::vector<broker::WatchItem> watches_of(const Fetch& fetch) {
  std::vector<broker::WatchItem> watches;
  for (size_t i = 0; i < fetch.items.size(); ++i) {
    if (fetch.known[i]) watches.push_back({fetch.items[i].key, fetch.items[i].high_watermark, {}});
  }
  return watches;
}

void fill(const FetchItem& item, int32_t partition, wire::FetchResponse::PartitionData& out, Buffers& buffers,
          Budget* budget) {
  out.partition_index = partition;
  out.error_code = static_cast<int16_t>(item.code);
  out.high_watermark = item.high_watermark.value();
  out.last_stable_offset = item.last_stable_offset.value();
  out.log_start_offset = item.log_start_offset.value();
  out.records = item.range.file == nullptr ? item.records : wire::records_elsewhere(item.range.bytes);
  if (item.buffer) {
    buffers.all.push_back(item.buffer);
    if (budget != nullptr) buffers.charge.add(*budget, item.records.size());
  }
  if (item.range.file != nullptr && budget != nullptr) buffers.charge.add(*budget, kRangeCharge);
  if (item.diverging) out.diverging_epoch = {item.diverging->epoch.value(), item.diverging->end.value()};
  if (item.code == ErrorCode::kUnknownTopicOrPartition || item.code == ErrorCode::kUnknownTopicId) return;
  out.aborted_transactions.reset();
  if (!item.aborted) return;
  out.aborted_transactions.emplace();
  for (const auto& aborted : *item.aborted) {
    out.aborted_transactions->push_back({aborted.producer_id.value(), aborted.first_offset.value()});
  }
}

Outcome answer_code(Call& call, ErrorCode code) {
  auto response = call.make<wire::FetchResponse>();
  response.error_code = static_cast<int16_t>(code);
  return call.respond(response);
}

// The answer for a request that cannot be read as asked: each partition carries the error where the version has no
// topic ids.
Outcome answer_all(Call& call, const wire::FetchRequest& request, ErrorCode code) {
  auto response = call.make<wire::FetchResponse>();
  response.error_code = static_cast<int16_t>(code);
  response.session_id = request.session_id;
  if (call.version() >= kFirstVersionById) return call.respond(response);
  for (const auto& topic : request.topics) {
    auto& topic_out = response.responses.emplace_back();
    topic_out.topic = topic.topic;
    for (const auto& partition : topic.partitions) {
      auto& out = topic_out.partitions.emplace_back();
      out.partition_index = partition.partition;
      out.error_code = static_cast<int16_t>(code);
      out.high_watermark = -1;
      out.records = base::Bytes{};
    }
  }
  return call.respond(response);
}

// Kafka answers for the partitions it has, then for unknown ids, then for unknown partitions, each in their order.
std::vector<size_t> order_of(const Fetch& fetch) {
  std::vector<size_t> order;
  std::vector<size_t> unknown_ids;
  std::vector<size_t> unknown_partitions;
  for (size_t i = 0; i < fetch.items.size(); ++i) {
    const ErrorCode code = fetch.items[i].code;
    auto& list = code == ErrorCode::kUnknownTopicOrPartition ? unknown_partitions
                 : code == ErrorCode::kUnknownTopicId        ? unknown_ids
                                                             : order;
    list.push_back(i);
  }
  order.insert(order.end(), unknown_ids.begin(), unknown_ids.end());
  order.insert(order.end(), unknown_partitions.begin(), unknown_partitions.end());
  return order;
}

base::Task<Outcome> answer(Call& call, Fetch& fetch) {
  auto response = call.make<wire::FetchResponse>();
  auto buffers = std::make_shared<Buffers>();
  std::vector<io::FileRange> ranges;
  FetchSessions::Opened& opened = fetch.opened;
  bool moved = false;
  size_t done = 0;
  for (const size_t i : order_of(fetch)) {
    if (++done % kItemsPerTurn == 0) co_await base::give_way(call.broker().shard().executor());
    const FetchKey& key = opened.wishes[i].key;
    wire::FetchResponse::PartitionData data;
    fill(fetch.items[i], key.partition, data, *buffers, call.budget());
    moved |= fetch.items[i].code == ErrorCode::kNotLeaderOrFollower;
    if (opened.session && !opened.session->tell(key, data)) continue;
    if (fetch.items[i].range.file != nullptr) ranges.push_back(std::move(fetch.items[i].range));
    if (response.responses.empty() || response.responses.back().topic != key.topic ||
        response.responses.back().topic_id != key.topic_id) {
      auto& topic = response.responses.emplace_back();
      topic.topic = key.topic;
      topic.topic_id = key.topic_id;
    }
    response.responses.back().partitions.push_back(std::move(data));
  }
  if (opened.may_create && !opened.session) {
    auto made = call.fetch_sessions().create(opened.wishes, call.version() >= kFirstVersionById,
                                             call.broker().shard().clock().now());
    if (!made) tell_limit(call, made.error());
    opened.session = std::move(made).value_or(nullptr);
    if (opened.session) {
      for (auto& topic : response.responses) {
        for (const auto& data : topic.partitions) {
          opened.session->tell({std::string{topic.topic}, topic.topic_id, data.partition_index}, data);
        }
      }
    }
  }
  if (opened.session) response.session_id = opened.session->id();
  if (moved && call.version() >= 16) add_node_endpoints(call, response.node_endpoints);
  co_return call.respond(response, std::move(buffers), ranges);
}

// Counted while it waits.
class WaitingFetch {
 public:
  explicit WaitingFetch(size_t& count) : count_(count) { ++count_; }
  WaitingFetch(const WaitingFetch&) = delete;
  WaitingFetch& operator=(const WaitingFetch&) = delete;
  ~WaitingFetch() { --count_; }

 private:
  size_t& count_;
};

}  // namespace

base::Task<Outcome> fetch(Call& call) {
  auto request = call.decode<wire::FetchRequest>();
  if (!request.ok()) co_return call.refuse(request.error());
  if (request->isolation_level < 0 || request->isolation_level > kReadCommitted) {
    co_return answer_all(call, *request, ErrorCode::kUnknownServerError);
  }
  io::Shard& shard = call.broker().shard();
  Fetch fetch{*request, call.fetch_sessions().open(*request, call.version(), shard.clock().now()), {}, {}};
  if (fetch.opened.limit) tell_limit(call, *fetch.opened.limit);
  if (fetch.opened.code != ErrorCode::kNone) co_return answer_code(call, fetch.opened.code);
  BudgetCharge bookkeeping;
  if (call.budget() != nullptr) bookkeeping.add(*call.budget(), bytes_of(fetch.opened.wishes));
  const base::MonoTime deadline = call.received() + std::chrono::milliseconds{std::max(request->max_wait_ms, 0)};
  co_await resolve(call, fetch);
  while (true) {
    co_await read_all(call, fetch);
    int64_t bytes_missing = 0;
    if (complete(fetch, bytes_missing) || shard.clock().now() >= deadline) break;
    if (call.fetch_waiters() >= call.limits().fetch_waiters_max) {
      call.complaints().reached(base::Limit::kFetchWaiters, "a fetch is answered at once: {} wait for records",
                                call.fetch_waiters());
      break;
    }
    const WaitingFetch waiting{call.fetch_waiters()};
    co_await broker::wait_for_growth(call.broker(), watches_of(fetch), bytes_missing, deadline);
  }
  co_return co_await answer(call, fetch);
}

}  // namespace stele::server::handlers
