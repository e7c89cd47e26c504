// What /metrics says of a broker. Where Kafka has a number, it has Kafka's MBean as its name, in lower case.
#pragma once

#include "admin/metrics_text.h"
#include "broker/broker.h"

namespace stele::admin {

void add_start(MetricsText& text, const broker::StartProgress& progress);
void add_log_dirs(MetricsText& text, const std::vector<broker::DirStatus>& dirs);

}  // namespace stele::admin
