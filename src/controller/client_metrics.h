// The configs of a subscription to clients' own metrics (KIP-714), as Kafka's ClientMetricsConfigs checks them.
#pragma once

#include <string_view>

#include "base/result.h"
#include "config/broker_config.h"

namespace stele::controller {

// All configs of one subscription, as they are to be.
base::Result<void> check_client_metrics(const config::ConfigMap& values);

// Whether brackets, quantifiers and escapes stand where java.util.regex takes them; not whether names of classes exist.
bool looks_like_pattern(std::string_view text);

}  // namespace stele::controller
