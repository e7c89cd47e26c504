// What /metrics says of a broker. Where Kafka has a number, it has Kafka's MBean as its name, in lower case.
#pragma once

#include "admin/metrics_text.h"
#include "admin/shard_report.h"
#include "broker/broker.h"

namespace stele::admin {

void add_start(MetricsText& text, const broker::StartProgress& progress);
// `lately`: of all shards, over the time that quantiles are told of.
void add_requests(MetricsText& text, const server::Traffic& all, const server::Traffic& lately);
void add_topics(MetricsText& text, const std::map<std::string, TopicReport>& topics);
void add_shards(MetricsText& text, const std::vector<ShardReport>& shards);
void add_controller(MetricsText& text, const metadata::Image& image);
void add_log_dirs(MetricsText& text, const std::vector<broker::DirStatus>& dirs);

}  // namespace stele::admin
