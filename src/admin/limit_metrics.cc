#include "admin/limit_metrics.h"

namespace stele::admin {

void add_limits(MetricsText& text, const std::vector<ShardReport>& shards, const server::Acceptor& acceptor) {
  base::LimitCounts met;
  uint64_t complaints = 0;
  for (const ShardReport& shard : shards) {
    met.add(shard.limits);
    complaints += shard.complaints;
  }
  text.counter("stele_connections_refused_total",
               "Connections closed at once: max.connections, max.connections.per.ip, or those of a listener.");
  text.sample(acceptor.refused());
  text.counter("stele_connections_delayed_total", "Times that max.connection.creation.rate made a connection wait.");
  text.sample(acceptor.delayed());
  text.counter("stele_accept_failures_total",
               "Times that no connection could be accepted: the process has no descriptors left, as a rule.");
  text.sample(acceptor.failed());
  text.counter("stele_limit_reached_total", "Times that a client met the limit which the option of this name sets.");
  for (size_t i = 0; i < base::kLimitOptions.size(); ++i) {
    text.sample(met.of(static_cast<base::Limit>(i)), {{"option", base::kLimitOptions[i]}});
  }
  text.counter("stele_complaints_total", "Things that clients did wrong, logged or left out of the log.");
  text.sample(complaints);
}

}  // namespace stele::admin
