// Configs of a group, in the order in which Kafka checks them.
#include "config/option.h"

namespace stele::config {
namespace {

constexpr Option kOptions[] = {
    {"consumer.session.timeout.ms", ValueType::kInt, "45000", at_least(1), Importance::kMedium,
     UpdateMode::kClusterWide, Effect::kWarns, "Silence after which a member leaves the group.", false,
     "group.consumer.session.timeout.ms"},
    {"consumer.heartbeat.interval.ms", ValueType::kInt, "5000", at_least(1), Importance::kMedium,
     UpdateMode::kClusterWide, Effect::kWarns, "Heartbeat interval told to the group's members.", false,
     "group.consumer.heartbeat.interval.ms"},
    {"consumer.assignment.interval.ms", ValueType::kInt, "1000", at_least(0), Importance::kMedium,
     UpdateMode::kClusterWide, Effect::kWarns, "Shortest time between two assignments of the group.", false,
     "group.consumer.assignment.interval.ms"},
    {"share.session.timeout.ms", ValueType::kInt, "45000", at_least(1), Importance::kMedium, UpdateMode::kClusterWide,
     Effect::kWarns, "Silence after which a member leaves the share group.", false, "group.share.session.timeout.ms"},
    {"share.heartbeat.interval.ms", ValueType::kInt, "5000", at_least(1), Importance::kMedium, UpdateMode::kClusterWide,
     Effect::kWarns, "Heartbeat interval told to the share group's members.", false,
     "group.share.heartbeat.interval.ms"},
    {"share.record.lock.duration.ms", ValueType::kInt, "30000", at_least(1000), Importance::kMedium,
     UpdateMode::kClusterWide, Effect::kWarns, "How long a record is held before it is handed out again.", false,
     "group.share.record.lock.duration.ms"},
    {"share.delivery.count.limit", ValueType::kInt, "5", at_least(2), Importance::kMedium, UpdateMode::kClusterWide,
     Effect::kWarns, "How often a record is handed out before it is given up.", false,
     "group.share.delivery.count.limit"},
    {"share.partition.max.record.locks", ValueType::kInt, "2000", at_least(100), Importance::kMedium,
     UpdateMode::kClusterWide, Effect::kWarns, "Records of a partition that the share group may hold unacknowledged.",
     false, "group.share.partition.max.record.locks"},
    {"share.auto.offset.reset", ValueType::kString, "latest", of_kind(Check::Kind::kOffsetReset), Importance::kMedium,
     UpdateMode::kClusterWide, Effect::kWarns, "Where a share group begins on a partition new to it."},
    {"share.isolation.level", ValueType::kString, "read_uncommitted", one_of("read_committed, read_uncommitted"),
     Importance::kMedium, UpdateMode::kClusterWide, Effect::kWarns,
     "Whether the share group sees records of open or aborted transactions."},
    {"share.renew.acknowledge.enable", ValueType::kBoolean, "true", any(), Importance::kMedium,
     UpdateMode::kClusterWide, Effect::kWarns, "Whether a member may prolong its hold on a record."},
    {"share.assignment.interval.ms", ValueType::kInt, "1000", at_least(0), Importance::kMedium,
     UpdateMode::kClusterWide, Effect::kWarns, "Shortest time between two assignments of the share group.", false,
     "group.share.assignment.interval.ms"},
    {"streams.session.timeout.ms", ValueType::kInt, "45000", at_least(1), Importance::kMedium, UpdateMode::kClusterWide,
     Effect::kWarns, "Silence after which a member leaves the Streams group.", false,
     "group.streams.session.timeout.ms"},
    {"streams.heartbeat.interval.ms", ValueType::kInt, "5000", at_least(1), Importance::kMedium,
     UpdateMode::kClusterWide, Effect::kWarns, "Heartbeat interval told to the Streams group's members.", false,
     "group.streams.heartbeat.interval.ms"},
    {"streams.num.standby.replicas", ValueType::kInt, "0", at_least(0), Importance::kMedium, UpdateMode::kClusterWide,
     Effect::kWarns, "Standby copies of each of the group's tasks.", false, "group.streams.num.standby.replicas"},
    {"streams.initial.rebalance.delay.ms", ValueType::kInt, "3000", at_least(0), Importance::kMedium,
     UpdateMode::kClusterWide, Effect::kWarns, "How long the new Streams group waits for more members.", false,
     "group.streams.initial.rebalance.delay.ms"},
    {"streams.assignment.interval.ms", ValueType::kInt, "1000", at_least(0), Importance::kMedium,
     UpdateMode::kClusterWide, Effect::kWarns, "Shortest time between two assignments of the Streams group.", false,
     "group.streams.assignment.interval.ms"},
};

}  // namespace

std::span<const Option> group_options() { return kOptions; }

}  // namespace stele::config
