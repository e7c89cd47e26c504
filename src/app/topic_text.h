// How `stele topic` shows what it found: for people, and as JSON.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/topic_admin.h"

namespace stele::app {

// "created topic 'x': 3 partitions, replication factor 1"
std::string outcome_text(const TopicOutcome& outcome, std::string_view done, bool dry_run, bool json);
// A table with a head, or a JSON line for each topic.
std::vector<std::string> list_lines(const std::vector<Topic>& topics, bool json);
// Several lines for people, one of JSON.
std::string describe_text(const Topic& topic, bool json);

}  // namespace stele::app
