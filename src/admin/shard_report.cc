#include "admin/shard_report.h"

#include <algorithm>

#include "base/complaints.h"

namespace stele::admin {

TopicReport& TopicReport::operator+=(const TopicReport& other) {
  traffic.records_in += other.traffic.records_in;
  traffic.bytes_in += other.traffic.bytes_in;
  traffic.bytes_out += other.traffic.bytes_out;
  traffic.refused += other.traffic.refused;
  partitions += other.partitions;
  partitions_offline += other.partitions_offline;
  bytes += other.bytes;
  return *this;
}

void add_slowest(std::vector<SlowPartition>& all, const std::vector<SlowPartition>& more) {
  all.insert(all.end(), more.begin(), more.end());
  const auto slower = [](const SlowPartition& a, const SlowPartition& b) {
    return a.slowest != b.slowest ? a.slowest > b.slowest : a.name < b.name;
  };
  std::ranges::sort(all, slower);
  if (all.size() > ShardReport::kSlowest) all.resize(ShardReport::kSlowest);
}

ShardReport report_shard(const server::ShardServer& server, const server::Router& router,
                         const broker::BrokerShard& broker) {
  ShardReport report;
  report.loop = broker.shard().counts();
  report.traffic.merge(server.traffic());
  report.connections = server.connections();
  report.produce_waiters = router.produce_waiters();
  report.fetch_waiters = router.fetch_waiters();
  report.complaints = broker.shard().complaints().total();
  report.limits = broker.shard().complaints().limits();
  for (size_t i = 0; i < server::kRequestClasses; ++i) {
    const server::Budget& budget = server.budget(static_cast<server::RequestClass>(i));
    report.budgets[i] = {budget.used(), budget.limit(), budget.refusals()};
  }
  const base::MonoTime now = broker.shard().clock().now();
  std::vector<SlowPartition> candidates;
  for (const auto& partition : broker.partitions()) {
    TopicReport& topic = report.topics[partition->topic_partition().topic];
    const bool offline = partition->offline() || partition->log() == nullptr;
    topic += {.traffic = partition->traffic(),
              .partitions = 1,
              .partitions_offline = offline ? 1U : 0U,
              .bytes = offline ? 0 : partition->log()->size_bytes()};
    const base::Duration slowest = partition->slowest_append().of_late(now);
    if (slowest > base::Duration{0}) candidates.push_back({partition->name(), slowest});
  }
  add_slowest(report.slowest, candidates);
  return report;
}

}  // namespace stele::admin
