#include "controller/controller.h"

#include <fmt/format.h>

#include <algorithm>

#include "metadata/format.h"
#include "wire/abort_transaction_record.h"
#include "wire/begin_transaction_record.h"
#include "wire/config_record.h"
#include "wire/end_transaction_record.h"
#include "wire/register_controller_record.h"

namespace stele::controller {
namespace {

using metadata::encode_record;

constexpr std::string_view kBootstrapTransaction = "Bootstrap records";

std::string normalized(std::string_view name) {
  std::string out{name};
  std::replace(out.begin(), out.end(), '.', '_');
  return out;
}

// Names without `.` and `_` collide with none.
bool can_collide(std::string_view name) { return name.find_first_of("._") != std::string_view::npos; }

config::ConfigMap values_of(const metadata::ConfigMap* map) {
  config::ConfigMap out;
  if (map != nullptr) {
    for (const auto& [key, value] : *map) out.emplace(key, value.value);
  }
  return out;
}

}  // namespace

Controller::Controller(Options options, std::shared_ptr<const config::BrokerConfig> config, metadata::ImagePtr image,
                       base::MonoTime now)
    : options_(options), static_config_(std::move(config)), image_(std::move(image)) {
  metadata::Changes all;
  image_->topics.for_each([&](const base::TopicId& id, const auto& topic) {
    all.topics_created.insert(id);
    auto& indexes = all.partitions[id];
    topic->partitions.for_each([&](int32_t index, const auto&) { indexes.insert(index); });
  });
  image_->configs.for_each(
      [&](const metadata::ConfigResource& resource, const auto&) { all.configs.insert(resource); });
  index(all, metadata::Image{});
  image_->brokers.for_each([&](int32_t id, const auto&) { contacts_[base::BrokerId{id}] = now; });
  refresh_config();
}

base::Result<metadata::Changes> Controller::replay(base::Bytes batch) {
  metadata::Delta delta{image_};
  STELE_TRY(delta.apply_batch(batch));
  metadata::Changes changes = delta.changes();
  const metadata::ImagePtr before = image_;
  image_ = std::move(delta).finish();
  index(changes, *before);
  for (const metadata::ConfigResource& resource : changes.configs) {
    if (resource.type == metadata::ResourceType::kBroker) {
      refresh_config();
      break;
    }
  }
  return changes;
}

void Controller::index(const metadata::Changes& changes, const metadata::Image& before) {
  const auto count = [&](const metadata::Partition* partition, int64_t by) {
    if (partition == nullptr) return;
    for (const base::DirectoryId& dir : partition->directories) {
      if ((replicas_in_[dir] += by) == 0) replicas_in_.erase(dir);
    }
  };
  for (const auto& [id, name] : changes.topics_deleted) {
    const metadata::Topic* old = before.topic(id);
    old->partitions.for_each([&](int32_t, const auto& partition) { count(partition.get(), -1); });
    if (can_collide(name)) {
      auto& names = colliding_[normalized(name)];
      names.erase(name);
      if (names.empty()) colliding_.erase(normalized(name));
    }
  }
  for (const base::TopicId& id : changes.topics_created) {
    const std::string& name = image_->topic(id)->name;
    if (can_collide(name)) colliding_[normalized(name)].insert(name);
  }
  for (const metadata::ConfigResource& resource : changes.configs) {
    if (!is_free(resource)) continue;
    free_resources_ -= before.config_of(resource) != nullptr ? 1 : 0;
    free_resources_ += image_->config_of(resource) != nullptr ? 1 : 0;
  }
  for (const auto& [id, indexes] : changes.partitions) {
    for (const int32_t at : indexes) {
      count(before.partition(id, base::PartitionIndex{at}), -1);
      count(image_->partition(id, base::PartitionIndex{at}), 1);
    }
  }
}

void Controller::refresh_config() {
  const auto cluster = values_of(image_->config_of({metadata::ResourceType::kBroker, ""}));
  const auto mine =
      values_of(image_->config_of({metadata::ResourceType::kBroker, std::to_string(options_.node.value())}));
  effective_ = std::make_shared<const config::BrokerConfig>(static_config_->with_dynamic(cluster, mine));
}

namespace {

base::ByteVector register_controller(base::BrokerId node, base::Uuid incarnation,
                                     const std::vector<metadata::Endpoint>& endpoints) {
  wire::RegisterControllerRecord record;
  record.controller_id = node.value();
  record.incarnation_id = incarnation;
  for (const metadata::Endpoint& endpoint : endpoints) {
    auto& end = record.end_points.emplace_back();
    end.name = endpoint.listener;
    end.host = endpoint.host;
    end.port = endpoint.port;
    end.security_protocol = endpoint.protocol;
  }
  for (const auto& supported : metadata::supported_features()) {
    auto& feature = record.features.emplace_back();
    feature.name = supported.name;
    feature.min_supported_version = supported.min;
    feature.max_supported_version = supported.max;
  }
  return encode_record(record, 0);
}

}  // namespace

std::vector<Records> Controller::activation(const Records& bootstrap, base::Uuid incarnation,
                                            const std::vector<metadata::Endpoint>& endpoints) const {
  std::vector<Records> out;
  metadata::ImagePtr base = image_;
  if (image_->before_transaction != nullptr) {
    out.push_back({encode_record(wire::AbortTransactionRecord{}, 0)});
    base = image_->before_transaction;
  }
  if (base->features.empty()) {
    Records seed = bootstrap.empty() ? metadata::bootstrap_records(metadata::kMetadataVersionLatest) : bootstrap;
    // Whether min.insync.replicas is written depends on the levels in there.
    metadata::Delta levels{std::make_shared<const metadata::Image>()};
    for (const auto& record : seed) STELE_CHECK(levels.apply(record).ok());
    wire::BeginTransactionRecord begin;
    begin.name = kBootstrapTransaction;
    seed.insert(seed.begin(), encode_record(begin, 0));
    if (levels.state().elr_enabled()) {
      const std::string min_isr = std::to_string(static_config_->number("min.insync.replicas"));
      wire::ConfigRecord config;
      config.resource_type = static_cast<int8_t>(metadata::ResourceType::kBroker);
      config.name = "min.insync.replicas";
      config.value = std::string_view{min_isr};
      seed.push_back(encode_record(config, 0));
    }
    seed.push_back(encode_record(wire::EndTransactionRecord{}, 0));
    out.push_back(std::move(seed));
  }
  out.push_back({register_controller(options_.node, incarnation, endpoints)});
  return out;
}

}  // namespace stele::controller
