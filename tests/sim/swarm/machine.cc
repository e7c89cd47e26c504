#include "sim/swarm/machine.h"

#include "base/check.h"

namespace stele::sim::swarm {

namespace {

std::shared_ptr<const config::BrokerConfig> load(const config::ConfigMap& values) {
  auto loaded = config::BrokerConfig::without_file(values);
  for (const config::Finding& finding : loaded.findings) {
    STELE_CHECK(!finding.is_error(), "{}", config::to_text(finding));
  }
  return std::make_shared<const config::BrokerConfig>(std::move(loaded.config).value());
}

}  // namespace

Machine::Machine(io::SimWorld& world, uint32_t shards, const config::ConfigMap& config)
    : host_(world.add_host("broker")), shards_(shards), config_(load(config)) {}

base::Task<void> Machine::wait_for_ever(io::Shard& shard) {
  base::Signal never{shard.executor()};
  co_await never.wait();
}

base::Task<void> Machine::run_control() {
  std::vector<io::Shard*> shards;
  for (uint32_t i = 0; i < shards_; ++i) shards.push_back(&host_.shard(base::ShardId{i}));
  app::BrokerProcess process{std::move(shards), config_};
  process_ = &process;
  exit_code_ = co_await process.run([this](base::Signal& signal) { terminate_ = &signal; });
  process_ = nullptr;
  terminate_ = nullptr;
  // It is destroyed once its shards have stopped: mail to them is under way.
  co_await wait_for_ever(host_.shard(broker::kControlShard));
}

void Machine::start() {
  STELE_CHECK(!running_);
  running_ = true;
  exit_code_.reset();
  host_.start(shards_, [this](io::Shard& shard) {
    return shard.id() == broker::kControlShard ? run_control() : wait_for_ever(shard);
  });
}

void Machine::ask_to_stop() {
  if (terminate_ != nullptr) terminate_->set();
}

void Machine::kill() {
  host_.crash();
  forget();
}

void Machine::forget() {
  running_ = false;
  process_ = nullptr;
  terminate_ = nullptr;
}

void Machine::lose_power(const io::PowerLoss& how) {
  host_.lose_power(how);
  forget();
}

}  // namespace stele::sim::swarm
