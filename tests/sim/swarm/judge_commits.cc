#include <fmt/format.h>

#include <algorithm>

#include "sim/swarm/judges.h"

namespace stele::sim::swarm {

namespace {

constexpr size_t kFindingsMax = 5;

struct CommitOps {
  std::vector<const Commit*> commits;
  std::vector<const CommitRead*> reads;
};

std::string wrong_with(const CommitRead& read, const CommitOps& ops, const Undoings& undoings) {
  // The youngest moment at which a commit began that is certain to have happened before the read.
  const Commit* newest = nullptr;
  const Commit* found = nullptr;
  for (const Commit* commit : ops.commits) {
    if (commit->offset == read.offset) found = commit;
    if (commit->outcome != Outcome::kOk || commit->span.completed >= read.span.invoked) continue;
    if (undoings.between(commit->span.era, read.span.era)) continue;
    if (newest == nullptr || commit->span.invoked > newest->span.invoked) newest = commit;
  }
  if (read.offset < 0)
    return newest == nullptr ? "" : fmt::format("there is none, though {} was committed", newest->offset);
  if (found == nullptr) return fmt::format("it is {}, which nobody committed", read.offset);
  if (found->outcome == Outcome::kFail) return fmt::format("it is {}, which was refused", read.offset);
  if (found->span.invoked >= read.span.completed)
    return fmt::format("it is {}, which was committed later", read.offset);
  if (newest != nullptr && found->outcome == Outcome::kOk && found->span.completed < newest->span.invoked) {
    return fmt::format("it is {}, though {} was committed after it", read.offset, newest->offset);
  }
  return "";
}

}  // namespace

Undoings::Undoings(const History& history, int32_t group) {
  const auto log = history.group_logs.find(group);
  for (const Ending& ending : history.endings) {
    bool lossy = ending.kind == EndKind::kPowerLoss && !history.synced;
    if (log != history.group_logs.end()) {
      const auto ends = ending.ends.find(log->second);
      if (ends != ending.ends.end()) {
        lossy = lossy && ends->second.synced < ends->second.assigned;
        lossy = lossy || (ends->second.damaged && !history.synced);
      }
    }
    lossy_.push_back(lossy);
  }
}

bool Undoings::between(uint32_t from_era, uint32_t to_era) const {
  for (uint32_t era = from_era; era < to_era && era < lossy_.size(); ++era) {
    if (lossy_[era]) return true;
  }
  return false;
}

std::vector<Finding> judge_commits(const History& history) {
  std::vector<Finding> findings;
  std::map<std::pair<int32_t, Place>, CommitOps> keys;
  for (const Commit& commit : history.commits) keys[{commit.group, commit.place}].commits.push_back(&commit);
  for (const CommitRead& read : history.commit_reads) keys[{read.group, read.place}].reads.push_back(&read);
  for (const auto& [key, ops] : keys) {
    const auto& [group, place] = key;
    const Topic& topic = history.topics.at(static_cast<size_t>(place.topic));
    const Undoings undoings(history, group);
    for (const CommitRead* read : ops.reads) {
      if (topic.delete_invoked < read->span.completed) continue;
      const std::string wrong = wrong_with(*read, ops, undoings);
      if (wrong.empty() || findings.size() >= kFindingsMax) continue;
      findings.push_back({"commit", fmt::format("group {} of {}-{} (topic {}) in era {}: {}", group, topic.name,
                                                place.partition, place.topic, read->span.era, wrong)});
    }
  }
  return findings;
}

std::vector<Finding> judge_topics(const History& history) {
  std::vector<Finding> findings;
  for (size_t i = 0; i < history.topics.size(); ++i) {
    const Topic& topic = history.topics[i];
    if (topic.deleted != kNever && topic.there_at_end) {
      findings.push_back({"topic", fmt::format("{} (topic {}) was deleted and is there", topic.name, i)});
    }
    if (topic.created == kNever || topic.delete_invoked != kNever) continue;
    if (!topic.there_at_end) {
      findings.push_back({"topic", fmt::format("{} (topic {}) was created and is gone", topic.name, i)});
    } else if (topic.partitions_at_end < topic.partitions) {
      findings.push_back({"topic", fmt::format("{} (topic {}) had {} partitions and has {}", topic.name, i,
                                               topic.partitions, topic.partitions_at_end)});
    }
  }
  return findings;
}

std::vector<Finding> judge(const History& history) {
  std::vector<Finding> all = judge_logs(history);
  for (auto part : {judge_watermarks(history), judge_commits(history), judge_epochs(history), judge_lookups(history),
                    judge_groups(history), judge_topics(history)}) {
    std::move(part.begin(), part.end(), std::back_inserter(all));
  }
  for (size_t i = 0; i < history.oddities.size() && i < kFindingsMax; ++i) {
    all.push_back({"oddity", history.oddities[i].what});
  }
  return all;
}

}  // namespace stele::sim::swarm
