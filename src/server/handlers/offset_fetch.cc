#include <set>

#include "server/handlers/cluster.h"
#include "server/handlers/group_handlers.h"
#include "wire/offset_fetch_request.h"
#include "wire/offset_fetch_response.h"

namespace stele::server::handlers {
namespace {

using base::ErrorCode;
using coordinator::OffsetFetch;
using coordinator::OffsetFetchReply;
using Response = wire::OffsetFetchResponse;

constexpr int16_t kFirstVersionOfMany = 8;
constexpr int16_t kFirstVersionById = 10;

// How a version without an error of its own for the whole answer tells it: on each partition that was asked for.
constexpr int16_t kFirstVersionWithError = 2;

template <class Out>
void fill(const OffsetFetchReply::Partition& partition, Out& out) {
  out.partition_index = partition.partition;
  out.committed_offset = partition.offset;
  out.committed_leader_epoch = partition.leader_epoch;
  out.metadata = partition.metadata;
  out.error_code = static_cast<int16_t>(partition.error);
}

// One group of the request as the coordinator understands it, topics by name.
OffsetFetch fetch_of(const Call& call, const wire::OffsetFetchRequest::OffsetFetchRequestGroup& group,
                     bool require_stable) {
  OffsetFetch fetch;
  fetch.group_id = group.group_id;
  fetch.member_id = own(group.member_id);
  fetch.member_epoch = group.member_epoch;
  fetch.require_stable = require_stable;
  if (!group.topics) return fetch;
  fetch.topics.emplace();
  for (const auto& topic : *group.topics) {
    OffsetFetch::Topic wanted{
        std::string(topic.name), topic.topic_id, {topic.partition_indexes.begin(), topic.partition_indexes.end()}};
    if (call.version() >= kFirstVersionById) {
      const TopicLookup found = find_topic(call, true, {}, topic.topic_id);
      if (found.topic == nullptr) continue;  // see add_unknown
      wanted.name = found.topic->name;
    }
    fetch.topics->push_back(std::move(wanted));
  }
  return fetch;
}

void add_unknown(const Call& call, const wire::OffsetFetchRequest::OffsetFetchRequestGroup& group,
                 Response::OffsetFetchResponseGroup& response) {
  if (call.version() < kFirstVersionById || !group.topics) return;
  for (const auto& topic : *group.topics) {
    if (find_topic(call, true, {}, topic.topic_id).topic != nullptr) continue;
    auto& out = response.topics.emplace_back();
    out.topic_id = topic.topic_id;
    for (const int32_t index : topic.partition_indexes) {
      OffsetFetchReply::Partition unknown;
      unknown.partition = index;
      unknown.error = ErrorCode::kUnknownTopicId;
      fill(unknown, out.partitions.emplace_back());
    }
  }
}

void fill_group(const Call& call, const OffsetFetchReply& reply, Response::OffsetFetchResponseGroup& out) {
  out.group_id = reply.group_id;
  out.error_code = static_cast<int16_t>(reply.error);
  for (const auto& topic : reply.topics) {
    base::TopicId id = topic.id;
    if (call.version() >= kFirstVersionById && id.is_zero()) {
      // Asked for all topics: one that is gone has no id to be told by.
      const TopicLookup found = find_topic(call, false, topic.name, {});
      if (found.topic == nullptr) continue;
      id = found.topic->id;
    }
    auto& topic_out = out.topics.emplace_back();
    topic_out.name = topic.name;
    topic_out.topic_id = id;
    for (const auto& partition : topic.partitions) fill(partition, topic_out.partitions.emplace_back());
  }
}

base::Task<Outcome> fetch_of_many(Call& call, const wire::OffsetFetchRequest& request) {
  auto response = call.make<Response>();
  std::vector<OffsetFetchReply> replies;  // the response holds views of them
  replies.reserve(request.groups.size());
  std::set<std::string_view> told;
  for (const auto& group : request.groups) {
    if (!told.insert(group.group_id).second) continue;
    OffsetFetch fetch = fetch_of(call, group, request.require_stable);
    replies.push_back(co_await ask<OffsetFetchReply>(call, std::move(fetch)));
    auto& out = response.groups.emplace_back();
    fill_group(call, replies.back(), out);
    if (replies.back().error == ErrorCode::kNone) add_unknown(call, group, out);
  }
  co_return call.respond(response);
}

base::Task<Outcome> fetch_of_one(Call& call, const wire::OffsetFetchRequest& request) {
  OffsetFetch fetch;
  fetch.group_id = request.group_id;
  fetch.require_stable = request.require_stable;
  if (request.topics) {
    fetch.topics.emplace();
    for (const auto& topic : *request.topics) {
      fetch.topics->push_back(
          {std::string(topic.name), {}, {topic.partition_indexes.begin(), topic.partition_indexes.end()}});
    }
  }
  auto reply = co_await ask<OffsetFetchReply>(call, std::move(fetch));
  auto response = call.make<Response>();
  response.error_code = static_cast<int16_t>(reply.error);
  if (reply.error != ErrorCode::kNone && call.version() < kFirstVersionWithError) {
    for (const auto& topic : *request.topics) {
      auto& out = response.topics.emplace_back();
      out.name = topic.name;
      for (const int32_t index : topic.partition_indexes) {
        OffsetFetchReply::Partition failed;
        failed.partition = index;
        failed.error = reply.error;
        fill(failed, out.partitions.emplace_back());
      }
    }
  }
  for (const auto& topic : reply.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    for (const auto& partition : topic.partitions) fill(partition, out.partitions.emplace_back());
  }
  co_return call.respond(response);
}

}  // namespace

base::Task<Outcome> offset_fetch(Call& call) {
  auto request = call.decode<wire::OffsetFetchRequest>();
  if (!request.ok()) co_return call.refuse(request.error());
  if (call.version() >= kFirstVersionOfMany) co_return co_await fetch_of_many(call, *request);
  co_return co_await fetch_of_one(call, *request);
}

}  // namespace stele::server::handlers
