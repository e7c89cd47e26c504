#include "controller/partition_change.h"

#include <algorithm>

#include "metadata/record.h"
#include "wire/partition_change_record.h"

namespace stele::controller {
namespace {

using base::BrokerId;
using Brokers = std::vector<BrokerId>;

bool has(const Brokers& list, BrokerId broker) { return std::find(list.begin(), list.end(), broker) != list.end(); }

std::pmr::vector<int32_t> numbers(const Brokers& ids) {
  std::pmr::vector<int32_t> out;
  for (const BrokerId id : ids) out.push_back(id.value());
  return out;
}

// The eligible leaders beside this ISR: who was in it or eligible before, has not died since, and is not in it now.
Brokers eligible_beside(const PartitionChange& change) {
  if (!change.elr_enabled) return change.partition.elr;
  const size_t enough = std::min(static_cast<size_t>(std::max(change.min_isr, 0)), change.partition.replicas.size());
  if (change.target_isr.size() >= enough) return {};
  Brokers out;
  for (const Brokers* from : {&change.partition.elr, &change.partition.isr}) {
    for (const BrokerId broker : *from) {
      if (!has(change.target_isr, broker) && !has(change.unclean_replicas, broker) && !has(out, broker)) {
        out.push_back(broker);
      }
    }
  }
  return out;
}

struct Election {
  BrokerId leader = base::kNoBroker;
  bool unclean = false;
};

Election elect(const PartitionChange& change, const Brokers& elr) {
  const metadata::Partition& partition = change.partition;
  const auto valid = [&](BrokerId broker) {
    const bool clean =
        has(change.target_isr, broker) || (change.elr_enabled && change.target_isr.empty() && has(elr, broker));
    return clean && change.may_lead(broker);
  };
  if (valid(partition.leader)) return {partition.leader, false};
  for (const BrokerId broker : partition.replicas) {
    if (valid(broker)) return {broker, false};
  }
  // Balanced recovery: the last leader of all has the longest log, though its process died.
  if (change.elr_enabled && elr.empty() && change.target_isr.empty() && partition.last_known_elr.size() == 1 &&
      change.may_lead(partition.last_known_elr[0])) {
    return {partition.last_known_elr[0], true};
  }
  if (change.unclean_election) {
    for (const BrokerId broker : partition.replicas) {
      if (change.may_lead(broker)) return {broker, true};
    }
  }
  return {};
}

}  // namespace

std::optional<base::ByteVector> PartitionChange::build() const {
  wire::PartitionChangeRecord record;
  record.topic_id = topic;
  record.partition_id = index;
  Brokers isr = target_isr;
  Brokers elr = eligible_beside(*this);
  const Election election = elect(*this, elr);
  const bool new_leader = election.leader != partition.leader;
  if (new_leader) {
    record.leader = election.leader.value();
    if (election.unclean) {
      isr = {election.leader};
      elr.clear();
      if (partition.recovery != metadata::LeaderRecovery::kRecovering) {
        record.leader_recovery_state = static_cast<int8_t>(metadata::LeaderRecovery::kRecovering);
      }
    } else if (has(elr, election.leader)) {
      isr = {election.leader};
      std::erase(elr, election.leader);
      if (isr.size() >= std::min(static_cast<size_t>(std::max(min_isr, 0)), partition.replicas.size())) elr.clear();
    }
  }
  // Without ELR the last member stays in the ISR, or nobody would know who had everything.
  if (isr != partition.isr && (!isr.empty() || elr_enabled)) record.isr = numbers(isr);
  if (elr != partition.elr) record.eligible_leader_replicas = numbers(elr);
  if (elr_enabled) {
    const bool leaderless = record.isr && record.isr->empty();
    const bool led = new_leader ? election.leader != base::kNoBroker : partition.leader != base::kNoBroker;
    if (leaderless && partition.leader != base::kNoBroker && partition.last_known_elr != Brokers{partition.leader}) {
      record.last_known_elr = numbers({partition.leader});
    } else if (led && !partition.last_known_elr.empty()) {
      record.last_known_elr.emplace();
    }
  }
  const bool changes = new_leader || record.isr || record.eligible_leader_replicas || record.last_known_elr;
  if (!changes) return std::nullopt;
  return metadata::encode_record(record, version.partition_record_version());
}

}  // namespace stele::controller
