// Registration of brokers, their sessions, and what their coming and going does to partitions (ClusterControlManager
// and ReplicationControlManager of Kafka).
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "controller/controller.h"
#include "controller/partition_change.h"
#include "metadata/record_form.h"
#include "wire/broker_registration_change_record.h"
#include "wire/producer_ids_record.h"

namespace stele::controller {
namespace {

using base::BrokerId;
using base::ErrorCode;
using metadata::Broker;
using metadata::encode_record;
using metadata::Partition;
using metadata::Topic;

// Every partition for which `chosen` holds, with its topic.
template <class Chosen, class F>
void for_each_partition(const metadata::Image& image, Chosen&& chosen, F&& f) {
  image.topics.for_each([&](const base::TopicId&, const auto& topic) {
    topic->partitions.for_each([&](int32_t index, const auto& partition) {
      if (chosen(*partition)) f(*topic, index, *partition);
    });
  });
}

std::vector<BrokerId> without(const std::vector<BrokerId>& list, BrokerId broker) {
  std::vector<BrokerId> out;
  for (const BrokerId each : list) {
    if (each != broker) out.push_back(each);
  }
  return out;
}

bool has(const std::vector<BrokerId>& list, BrokerId broker) {
  return std::find(list.begin(), list.end(), broker) != list.end();
}

base::ByteVector registration_change(const Broker& broker, int8_t fenced, int8_t in_controlled_shutdown) {
  wire::BrokerRegistrationChangeRecord record;
  record.broker_id = broker.id.value();
  record.broker_epoch = broker.epoch.value();
  record.fenced = fenced;
  record.in_controlled_shutdown = in_controlled_shutdown;
  return encode_record(record, in_controlled_shutdown != 0 ? 1 : 0);
}

// Like BrokersToIsrs of Kafka: which broker is let go of, taken back, or died.
struct Movement {
  BrokerId removed = base::kNoBroker;
  BrokerId added = base::kNoBroker;
  BrokerId died = base::kNoBroker;
};

}  // namespace

int32_t Controller::min_isr(const Topic& topic) const {
  const auto value = image_->config(metadata::ResourceType::kTopic, topic.name, "min.insync.replicas");
  if (value) {
    const auto parsed = config::parse_value(*config::find_topic_option("min.insync.replicas"), *value);
    if (parsed.ok()) return static_cast<int32_t>(std::get<int64_t>(*parsed));
  }
  return static_cast<int32_t>(effective_->number("min.insync.replicas"));
}

bool Controller::unclean_election(const Topic& topic) const {
  const auto value = image_->config(metadata::ResourceType::kTopic, topic.name, "unclean.leader.election.enable");
  if (value) return *value == "true";
  return effective_->boolean("unclean.leader.election.enable");
}

namespace {

// What a movement does to one partition.
struct PartitionMover {
  const metadata::Image& image;
  Movement movement;
  Records& out;

  void move(const Topic& topic, int32_t index, const Partition& partition, int32_t min_isr, bool unclean) const {
    PartitionChange change{partition, topic.id, index, image.metadata_version(), image.elr_enabled(), min_isr, unclean,
                           {},        {},       {}};
    change.may_lead = [&](BrokerId broker) {
      if (broker == movement.removed || broker == movement.died) return false;
      const Broker* registration = image.broker(broker);
      if (registration == nullptr) return false;
      return (broker == movement.added || registration->is_active()) &&
             registration->has_online_dir(partition.directory_of(broker));
    };
    change.target_isr = without(without(partition.isr, movement.removed), movement.died);
    if (movement.died != base::kNoBroker) change.unclean_replicas = {movement.died};
    if (auto record = change.build()) out.push_back(*std::move(record));
  }
};

}  // namespace

void Controller::fence(const Broker& broker, Records& out) const {
  const PartitionMover mover{*image_, {.removed = broker.id}, out};
  for_each_partition(
      *image_, [&](const Partition& partition) { return has(partition.isr, broker.id); },
      [&](const Topic& topic, int32_t index, const Partition& partition) {
        mover.move(topic, index, partition, min_isr(topic), unclean_election(topic));
      });
  out.push_back(registration_change(broker, 1, 0));
}

void Controller::unfence(const Broker& broker, Records& out) const {
  out.push_back(registration_change(broker, -1, 0));
  const PartitionMover mover{*image_, {.added = broker.id}, out};
  for_each_partition(
      *image_, [](const Partition& partition) { return partition.leader == base::kNoBroker; },
      [&](const Topic& topic, int32_t index, const Partition& partition) {
        mover.move(topic, index, partition, min_isr(topic), unclean_election(topic));
      });
}

void Controller::begin_shutdown(const Broker& broker, Records& out) const {
  out.push_back(registration_change(broker, 0, 1));
  const PartitionMover mover{*image_, {.removed = broker.id}, out};
  for_each_partition(
      *image_, [&](const Partition& partition) { return has(partition.isr, broker.id); },
      [&](const Topic& topic, int32_t index, const Partition& partition) {
        mover.move(topic, index, partition, min_isr(topic), unclean_election(topic));
      });
}

void Controller::forget_incarnation(const Broker& broker, bool clean, Records& out) const {
  Movement movement;
  (clean || !image_->metadata_version().supports_elr() ? movement.removed : movement.died) = broker.id;
  const PartitionMover mover{*image_, movement, out};
  for_each_partition(
      *image_,
      [&](const Partition& partition) {
        return has(partition.isr, broker.id) || (movement.died == broker.id && (has(partition.elr, broker.id)));
      },
      [&](const Topic& topic, int32_t index, const Partition& partition) {
        mover.move(topic, index, partition, min_isr(topic), unclean_election(topic));
      });
}

bool Controller::leads_any(BrokerId broker) const {
  bool found = false;
  image_->topics.for_each([&](const base::TopicId&, const auto& topic) {
    topic->partitions.for_each([&](int32_t, const auto& partition) {
      found = partition->leader == broker;
      return !found;
    });
    return !found;
  });
  return found;
}

namespace {

base::Result<void> check_registration(const Registration& request, const metadata::Image& image) {
  if (request.log_dirs.empty()) return {ErrorCode::kInvalidRegistration, "No directories specified in request"};
  for (size_t i = 0; i < request.log_dirs.size(); ++i) {
    const base::DirectoryId& dir = request.log_dirs[i];
    // Kafka keeps the first hundred ids for itself (DirectoryId.reserved).
    if (dir.high == 0 && dir.low < 100) return {ErrorCode::kInvalidRegistration, "Reserved directory ID in request"};
    if (std::find(request.log_dirs.begin(), request.log_dirs.begin() + static_cast<ptrdiff_t>(i), dir) !=
        request.log_dirs.begin() + static_cast<ptrdiff_t>(i)) {
      return {ErrorCode::kInvalidRegistration, "Duplicate directory ID in request"};
    }
  }
  base::Result<void> checked;
  image.brokers.for_each([&](int32_t id, const auto& broker) {
    if (id == request.id.value()) return true;
    for (const base::DirectoryId& dir : request.log_dirs) {
      if (std::find(broker->log_dirs.begin(), broker->log_dirs.end(), dir) != broker->log_dirs.end()) {
        checked = base::Error{ErrorCode::kInvalidRegistration,
                              fmt::format("Broker {} is already registered with directory {}", id, dir.to_string())};
      }
    }
    return checked.ok();
  });
  if (!checked.ok()) return checked;
  image.features.for_each([&](const std::string& name, const auto& level) {
    const auto range = std::find_if(request.features.begin(), request.features.end(),
                                    [&](const metadata::FeatureRange& feature) { return feature.name == name; });
    const int16_t min = range == request.features.end() ? int16_t{0} : range->min;
    const int16_t max = range == request.features.end() ? int16_t{0} : range->max;
    if (level.first < min || level.first > max) {
      checked = base::Error{
          ErrorCode::kUnsupportedVersion,
          fmt::format("Unable to register because the broker does not support finalized version {} of {}. The broker "
                      "wants a version between {} and {}, inclusive.",
                      level.first, name, min, max)};
    }
    return checked.ok();
  });
  return checked;
}

}  // namespace

base::Result<Decision<base::BrokerEpoch>> Controller::register_broker(const Registration& request,
                                                                      base::MonoTime now) const {
  STELE_TRY(check_registration(request, *image_));
  const Broker* existing = image_->broker(request.id);
  const bool new_incarnation = existing == nullptr || existing->incarnation != request.incarnation;
  // The broker of this very process cannot still run as an earlier one.
  if (existing != nullptr && new_incarnation && request.id != options_.node && !existing->in_controlled_shutdown) {
    const auto contact = contacts_.find(request.id);
    if (contact != contacts_.end() && !existing->fenced && contact->second + options_.session_timeout > now) {
      return {ErrorCode::kDuplicateBrokerRegistration,
              "Another broker is registered with that broker id. If the broker was recently restarted this should "
              "self-resolve once the heartbeat manager expires the broker's session."};
    }
  }
  Decision<base::BrokerEpoch> out;
  out.response = base::BrokerEpoch{image_->next_index.value()};
  if (existing != nullptr && new_incarnation) {
    forget_incarnation(*existing, request.previous_epoch == existing->epoch, out.records);
  }
  if (!new_incarnation) out.response = existing->epoch;
  Broker broker;
  broker.id = request.id;
  broker.incarnation = request.incarnation;
  broker.epoch = out.response;
  broker.endpoints = request.endpoints;
  broker.features = request.features;
  broker.rack = request.rack;
  broker.fenced = new_incarnation || existing->fenced;
  broker.log_dirs = request.log_dirs;
  if (image_->metadata_version().supports_cordoned_dirs()) broker.cordoned_log_dirs.emplace();
  out.records.push_back(metadata::encode_broker(broker, image_->metadata_version()));
  return out;
}

base::Result<Decision<bool>> Controller::set_cordoned_dirs(BrokerId id, std::vector<base::DirectoryId> dirs) const {
  const Broker* broker = image_->broker(id);
  if (broker == nullptr)
    return {ErrorCode::kBrokerIdNotRegistered, fmt::format("Broker ID {} is not registered", id.value())};
  Decision<bool> out{{}, true};
  if (!image_->metadata_version().supports_cordoned_dirs()) return out;
  wire::BrokerRegistrationChangeRecord record;
  record.broker_id = id.value();
  record.broker_epoch = broker->epoch.value();
  record.cordoned_log_dirs.emplace(dirs.begin(), dirs.end());
  out.records.push_back(encode_record(record, 3));
  return out;
}

base::Result<Decision<HeartbeatAnswer>> Controller::heartbeat(const Heartbeat& request, base::MonoTime now) {
  const Broker* broker = image_->broker(request.id);
  if (broker == nullptr) {
    return {ErrorCode::kBrokerIdNotRegistered,
            fmt::format("No broker registration found for broker id {}", request.id.value())};
  }
  if (broker->epoch != request.epoch) {
    return {ErrorCode::kStaleBrokerEpoch, fmt::format("Expected broker epoch {}, but got broker epoch {}",
                                                      broker->epoch.value(), request.epoch.value())};
  }
  contacts_[request.id] = now;
  Decision<HeartbeatAnswer> out;
  HeartbeatAnswer& answer = out.response;
  answer.caught_up = request.metadata_end.value() > broker->epoch.value();
  answer.fenced = broker->fenced;
  if (broker->fenced) {
    if (request.want_shut_down) {
      answer.should_shut_down = true;
    } else if (!request.want_fence && answer.caught_up) {
      unfence(*broker, out.records);
      answer.fenced = false;
    }
  } else if (request.want_fence) {
    fence(*broker, out.records);
    answer.fenced = true;
    answer.should_shut_down = request.want_shut_down;
  } else if (request.want_shut_down && !broker->in_controlled_shutdown && leads_any(broker->id)) {
    begin_shutdown(*broker, out.records);
  } else if (request.want_shut_down && !leads_any(broker->id)) {
    fence(*broker, out.records);
    answer.fenced = true;
    answer.should_shut_down = true;
  }
  return out;
}

Records Controller::expire_sessions(base::MonoTime now) const {
  Records out;
  for (const auto& [id, contact] : contacts_) {
    // Kafka too fences one broker at a time: the next decision sees what this one has done.
    if (!out.empty()) break;
    const Broker* broker = image_->broker(id);
    if (broker != nullptr && !broker->fenced && contact + options_.session_timeout <= now) fence(*broker, out);
  }
  return out;
}

std::optional<base::MonoTime> Controller::next_expiry() const {
  std::optional<base::MonoTime> next;
  for (const auto& [id, contact] : contacts_) {
    const Broker* broker = image_->broker(id);
    if (broker == nullptr || broker->fenced) continue;
    const base::MonoTime expiry = contact + options_.session_timeout;
    if (!next || expiry < *next) next = expiry;
  }
  return next;
}

base::Result<Decision<ProducerIdBlock>> Controller::allocate_producer_ids(BrokerId id, base::BrokerEpoch epoch) const {
  const Broker* broker = image_->broker(id);
  if (broker == nullptr || broker->epoch != epoch) {
    return {ErrorCode::kStaleBrokerEpoch,
            fmt::format("broker {} is not registered at epoch {}", id.value(), epoch.value())};
  }
  const int64_t first = image_->next_producer_id();
  if (first > std::numeric_limits<int64_t>::max() - kProducerIdBlockSize) {
    return {ErrorCode::kUnknownServerError,
            "Exhausted all producerIds as the next block's end producerId has exceeded the int64 type limit"};
  }
  wire::ProducerIdsRecord record;
  record.broker_id = id.value();
  record.broker_epoch = epoch.value();
  record.next_producer_id = first + kProducerIdBlockSize;
  return Decision<ProducerIdBlock>{{encode_record(record, 0)}, {first, kProducerIdBlockSize}};
}

}  // namespace stele::controller
