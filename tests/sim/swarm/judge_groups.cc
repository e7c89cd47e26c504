#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "sim/swarm/judges.h"

namespace stele::sim::swarm {

namespace {

constexpr size_t kFindingsMax = 5;

struct GroupOps {
  std::vector<const Handout*> handouts;
  std::vector<const Assignment*> assignments;
  std::vector<const Commit*> commits;
};

// A partition that both have.
std::optional<int> shared_by(const std::string& a, const std::string& b) {
  const size_t at = a.find_first_of(b);
  return at == std::string::npos ? std::nullopt : std::optional{static_cast<int>(a[at])};
}

class GroupStory {
 public:
  GroupStory(const History& history, int32_t group, const GroupOps& ops, std::vector<Finding>& findings)
      : group_(group), undoings_(history, group), ops_(ops), findings_(findings) {}

  void judge() {
    for (size_t i = 0; i < ops_.assignments.size(); ++i) {
      check_given(*ops_.assignments[i]);
      for (size_t j = 0; j < i; ++j) check_apart(*ops_.assignments[j], *ops_.assignments[i]);
    }
    for (const Commit* commit : ops_.commits) check_fenced(*commit);
  }

 private:
  void check_given(const Assignment& got) {
    const bool given = std::ranges::any_of(ops_.handouts, [&](const Handout* handout) {
      if (handout->generation != got.generation || handout->span.invoked >= got.span.completed) return false;
      const auto part = handout->parts.find(got.member);
      return part != handout->parts.end() ? part->second == got.part : got.part.empty();
    });
    if (!given) find("assignment", fmt::format("{} was handed what no leader gave it", text_of(got)));
  }

  // What a coordinator handed out stands for good, but for what a loss of power took from it.
  void check_apart(const Assignment& one, const Assignment& other) {
    if (one.generation != other.generation) return;
    if (undoings_.between(std::min(one.span.era, other.span.era), std::max(one.span.era, other.span.era))) return;
    if (one.member == other.member) {
      if (one.part != other.part) find("assignment", fmt::format("{} was handed two things", text_of(one)));
    } else if (const auto partition = shared_by(one.part, other.part)) {
      find("assignment",
           fmt::format("partition {} was handed to {} and to {}", *partition, text_of(one), text_of(other)));
    }
  }

  void check_fenced(const Commit& commit) {
    if (commit.outcome != Outcome::kOk || commit.generation < 0) return;
    for (const Assignment* later : ops_.assignments) {
      if (later->generation <= commit.generation || later->span.completed >= commit.span.invoked) continue;
      if (undoings_.between(later->span.era, commit.span.era)) continue;
      find("fencing", fmt::format("offset {} of generation {} was taken in era {}, after {} had its partitions",
                                  commit.offset, commit.generation, commit.span.era, text_of(*later)));
      return;
    }
  }

  static std::string text_of(const Assignment& got) {
    return fmt::format("member {} of generation {} (era {})", got.member, got.generation, got.span.era);
  }

  void find(const char* rule, const std::string& text) {
    if (findings_.size() >= kFindingsMax) return;
    findings_.push_back({rule, fmt::format("group {}: {}", group_, text)});
  }

  const int32_t group_;
  const Undoings undoings_;
  const GroupOps& ops_;
  std::vector<Finding>& findings_;
};

}  // namespace

std::vector<Finding> judge_groups(const History& history) {
  std::vector<Finding> findings;
  std::map<int32_t, GroupOps> groups;
  for (const Handout& handout : history.handouts) groups[handout.group].handouts.push_back(&handout);
  for (const Assignment& got : history.assignments) groups[got.group].assignments.push_back(&got);
  for (const Commit& commit : history.commits) groups[commit.group].commits.push_back(&commit);
  for (const auto& [group, ops] : groups) GroupStory(history, group, ops, findings).judge();
  return findings;
}

}  // namespace stele::sim::swarm
