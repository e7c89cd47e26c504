// What /metrics says of the limits that clients met.
#pragma once

#include <vector>

#include "admin/metrics_text.h"
#include "admin/shard_report.h"
#include "server/acceptor.h"

namespace stele::admin {

void add_limits(MetricsText& text, const std::vector<ShardReport>& shards, const server::Acceptor& acceptor);

}  // namespace stele::admin
