#include "sim/broker_world.h"

#include <gtest/gtest.h>

namespace stele::sim {

namespace {

std::shared_ptr<const config::BrokerConfig> make_config(const config::ConfigMap& more) {
  config::ConfigMap values{{"log.dirs", "/data"},
                           {"stele.http.port", "-1"},
                           {"stele.journal.bytes", "1048576"},
                           {"offsets.topic.num.partitions", "3"},
                           {"group.initial.rebalance.delay.ms", "10"}};
  for (const auto& [name, value] : more) values.insert_or_assign(name, value);
  auto loaded = config::BrokerConfig::without_file(values);
  for (const config::Finding& finding : loaded.findings) {
    EXPECT_FALSE(finding.is_error()) << config::to_text(finding);
  }
  return std::make_shared<const config::BrokerConfig>(std::move(loaded.config).value());
}

}  // namespace

void Lines::write(base::LogLevel level, std::string_view line) {
  lines_.emplace_back(line);
  if (level == base::LogLevel::kError) errors_.emplace_back(line);
}

bool Lines::mention(std::string_view what) const {
  for (const std::string& line : lines_) {
    if (line.find(what) != std::string::npos) return true;
  }
  return false;
}

std::string Lines::text() const {
  std::string all;
  for (const std::string& line : lines_) all += line + "\n";
  return all;
}

BrokerWorld::BrokerWorld(WorldOptions options)
    : options_(std::move(options)),
      world_({.seed = options_.seed, .log = &lines_}),
      broker_(world_.add_host("broker")),
      client_(world_.add_host("client")),
      config_(make_config(options_.config)) {}

BrokerWorld::~BrokerWorld() {
  client_.crash();
  broker_.crash();
}

base::Task<void> BrokerWorld::wait_for_ever(io::Shard& shard) {
  base::Signal never{shard.executor()};
  co_await never.wait();
}

base::Task<void> BrokerWorld::run_control() {
  std::vector<io::Shard*> shards;
  for (uint32_t i = 0; i < options_.shards; ++i) shards.push_back(&broker_.shard(base::ShardId{i}));
  app::BrokerProcess process{std::move(shards), config_};
  process_ = &process;
  exit_code_ = co_await process.run([this](base::Signal& signal) { terminate_ = &signal; });
  process_ = nullptr;
  terminate_ = nullptr;
}

bool BrokerWorld::run_broker() {
  exit_code_.reset();
  broker_.start(options_.shards, [this](io::Shard& shard) {
    return shard.id() == broker::kControlShard ? run_control() : wait_for_ever(shard);
  });
  return world_.run_until([this] { return exit_code_ || terminate_ != nullptr; }, std::chrono::minutes{1});
}

std::optional<int> BrokerWorld::start_in_vain() {
  run_broker();
  crash();
  return exit_code_;
}

void BrokerWorld::start() {
  const bool up = run_broker();
  ASSERT_TRUE(up && serving()) << "seed " << options_.seed << ": the broker does not start\n" << lines_.text();
}

std::optional<int> BrokerWorld::stop() {
  if (terminate_ != nullptr) terminate_->set();
  world_.run_until([this] { return exit_code_.has_value(); }, std::chrono::minutes{1});
  crash();
  return exit_code_;
}

void BrokerWorld::crash() {
  broker_.crash();
  process_ = nullptr;
  terminate_ = nullptr;
}

void BrokerWorld::lose_power(const io::PowerLoss& how) {
  broker_.lose_power(how);
  process_ = nullptr;
  terminate_ = nullptr;
}

void BrokerWorld::begin(Client client) {
  client_.crash();
  client_.start(1, std::move(client));
}

bool BrokerWorld::run(Client client, base::Duration longest) {
  begin(std::move(client));
  const bool ended = world_.run_until([this] { return client_.ended(); }, longest);
  client_.crash();
  return ended;
}

size_t BrokerWorld::bytes_charged() const {
  size_t bytes = 0;
  for (uint32_t i = 0; i < options_.shards; ++i) {
    for (size_t kind = 0; kind < server::kRequestClasses; ++kind) {
      bytes += process_->server(base::ShardId{i}).budget(static_cast<server::RequestClass>(kind)).used();
    }
  }
  return bytes;
}

base::Task<void> BrokerWorld::take_metrics(app::BrokerProcess& process, std::string& text, bool& done) {
  text = co_await process.metrics();
  done = true;
}

std::string BrokerWorld::metrics() {
  std::string text;
  bool done = false;
  base::TaskScope scope{broker_.shard(base::ShardId{0}).executor(), [](std::exception_ptr) {}};
  scope.spawn(take_metrics(*process_, text, done));
  STELE_CHECK(world_.run_until([&] { return done; }, std::chrono::seconds{10}), "/metrics does not come");
  return text;
}

size_t BrokerWorld::connections() const {
  size_t count = 0;
  for (uint32_t i = 0; i < options_.shards; ++i) count += process_->server(base::ShardId{i}).connections();
  return count;
}

}  // namespace stele::sim
