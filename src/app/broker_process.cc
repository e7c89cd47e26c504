#include "app/broker_process.h"

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "admin/broker_metrics.h"
#include "admin/limit_metrics.h"
#include "app/broker_command.h"
#include "app/stats.h"

namespace stele::app {

namespace {

constexpr base::Duration kQuantileSpan = std::chrono::minutes{1};

// A stream on its way from the acceptor to the shard that will serve it.
struct DeliverMail final : io::Mail {
  server::ShardServer* to = nullptr;
  std::unique_ptr<io::DetachedStream> stream;
  server::ConnectionInfo info;
  void deliver() override {
    std::unique_ptr<DeliverMail> self{this};
    to->serve(std::move(stream), std::move(info));
  }
};

struct ClosedMail final : io::Mail {
  server::Acceptor* acceptor = nullptr;
  server::ConnectionInfo info;
  void deliver() override {
    std::unique_ptr<ClosedMail> self{this};
    acceptor->closed(info);
  }
};

base::Task<bool> drain(server::ShardServer& server, base::MonoTime deadline) {
  co_await server.drain(deadline);
  co_return true;
}

base::Task<bool> start_sweeping(server::ShardServer& server) {
  server.start_sweeping();
  co_return true;
}

// A limit that only one listener has: "listener.name.<listener>.<option>".
std::optional<double> of_listener(const config::BrokerConfig& config, std::string listener, std::string_view option) {
  std::ranges::transform(listener, listener.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  const auto& values = config.effective_values();
  const auto found = values.find(fmt::format("listener.name.{}.{}", listener, option));
  if (found == values.end()) return std::nullopt;
  const auto value = config::parse_value(*config::find_broker_option(option), found->second);
  if (!value.ok() || !std::holds_alternative<int64_t>(*value)) return std::nullopt;
  return static_cast<double>(std::get<int64_t>(*value));
}

// An option in milliseconds; what is longer than a Duration can be is the longest.
base::Duration duration_of(const config::BrokerConfig& config, const char* option) {
  constexpr auto kLongest = std::chrono::floor<std::chrono::milliseconds>(base::Duration::max());
  return std::clamp(std::chrono::milliseconds{config.number(option)}, std::chrono::milliseconds{-1}, kLongest);
}

server::AcceptLimits accept_limits(const config::BrokerConfig& config) {
  server::AcceptLimits limits{
      .connections_max = static_cast<size_t>(config.number("max.connections")),
      .connections_per_address_max = static_cast<size_t>(config.number("max.connections.per.ip")),
      .creation_rate = static_cast<double>(config.number("max.connection.creation.rate"))};
  for (const std::string& entry : config::split_list(config.text("max.connections.per.ip.overrides"))) {
    const size_t colon = entry.rfind(':');  // an IPv6 address has some of its own
    if (colon == std::string::npos) continue;
    size_t count = 0;
    const auto [end, error] = std::from_chars(entry.data() + colon + 1, entry.data() + entry.size(), count);
    if (error == std::errc{}) limits.of_address[std::string{config::trimmed(entry.substr(0, colon))}] = count;
  }
  for (const config::Endpoint& endpoint : config.listeners().brokers) {
    server::ListenerLimits own;
    const auto connections = of_listener(config, endpoint.listener, "max.connections");
    const auto rate = of_listener(config, endpoint.listener, "max.connection.creation.rate");
    if (connections) own.connections_max = static_cast<size_t>(*connections);
    if (rate) own.creation_rate = *rate;
    if (connections || rate) limits.listeners[endpoint.listener] = own;
  }
  return limits;
}

size_t open_files_max(const config::BrokerConfig& config, const MachineFacts& machine) {
  const int64_t set = config.number("stele.open.files.max");
  return set > 0 ? static_cast<size_t>(set) : machine.open_files_allowed / 2;
}

server::RouterLimits router_limits(const config::BrokerConfig& config, size_t shards) {
  const auto count = [&config](const char* name) { return static_cast<size_t>(config.number(name)); };
  server::RouterLimits limits;
  limits.calls.request_elements_max = count("stele.request.elements.max");
  limits.calls.memory_max = count("stele.request.memory.max");
  limits.calls.fetch_bytes_max = config.number("fetch.max.bytes");
  limits.calls.fetch_waiters_max = count("stele.fetch.waiters.max");
  // A shard's share; 0 for none at all.
  const auto share = [&](const char* name) { return (count(name) + shards - 1) / shards; };
  limits.sessions.slots = share("max.incremental.fetch.session.cache.slots");
  limits.sessions.partitions_max = count("stele.fetch.session.partitions.max");
  limits.sessions.total_partitions_max = share("stele.fetch.sessions.partitions.max");
  limits.produce_waiters_max = count("stele.produce.waiters.max");
  return limits;
}

}  // namespace

BrokerProcess::BrokerProcess(std::vector<io::Shard*> shards, std::shared_ptr<const config::BrokerConfig> config,
                             MachineFacts machine)
    : shards_(std::move(shards)), config_(std::move(config)), machine_(std::move(machine)) {
  io::Shard& control = *shards_.front();
  acceptor_ = std::make_unique<server::Acceptor>(
      control, accept_limits(*config_),
      [this](base::ShardId shard, std::unique_ptr<io::DetachedStream> stream, server::ConnectionInfo info) {
        deliver(shard, std::move(stream), std::move(info));
      });
  const server::RouterLimits limits = router_limits(*config_, shards_.size());
  const record::DecompressionLimits unfolding{
      .output_bytes_max = static_cast<uint64_t>(config_->number("stele.batch.decompressed.bytes.max")),
      .rebuild_bytes_max = static_cast<uint64_t>(config_->number("stele.batch.rebuilt.bytes.max"))};
  std::vector<broker::BrokerShard*> brokers;
  std::vector<server::Router*> routers;
  for (io::Shard* shard : shards_) {
    shard->complaints().set_lines_per_second(static_cast<size_t>(config_->number("stele.log.complaints.per.second")));
    ShardParts& parts = parts_.emplace_back();
    parts.broker = std::make_unique<broker::BrokerShard>(*shard, unfolding,
                                                         open_files_max(*config_, machine_) / shards_.size() + 1);
    parts.router = std::make_unique<server::Router>(*parts.broker, limits);
    parts.server = std::make_unique<server::ShardServer>(*shard, *parts.router, server_limits(),
                                                         [this, shard](const server::ConnectionInfo& info) {
                                                           auto mail = std::make_unique<ClosedMail>();
                                                           mail->acceptor = acceptor_.get();
                                                           mail->info = info;
                                                           shard->send(broker::kControlShard, std::move(mail));
                                                         });
    parts.router->set_budgets(parts.server->budgets());
    brokers.push_back(parts.broker.get());
    routers.push_back(parts.router.get());
  }
  for (ShardParts& parts : parts_) {
    parts.broker->set_peers(brokers);
    parts.router->set_peers(routers);
  }
  broker_ = std::make_unique<broker::Broker>(*brokers.front());
  brokers.front()->set_control(broker_.get());
  broker_->on_config_changed(
      [this](const config::BrokerConfig& changed) { acceptor_->set_limits(accept_limits(changed)); });
  const admin::HttpServerLimits http_limits{
      .connections_max = static_cast<size_t>(config_->number("stele.http.connections.max")),
      .idle_max = duration_of(*config_, "stele.http.idle.ms")};
  http_ = std::make_unique<admin::HttpServer>(
      control, http_limits, [this](io::HttpRequest request) { return answer_http(std::move(request)); });
}

server::ServerLimits BrokerProcess::server_limits() const {
  const auto millis = [this](const char* name) { return duration_of(*config_, name); };
  const auto share = [this](const char* name) { return static_cast<size_t>(config_->number(name)) / shards_.size(); };
  server::ServerLimits limits;
  limits.connection.frame_bytes_max = static_cast<size_t>(config_->number("socket.request.max.bytes"));
  limits.connection.requests_in_flight_max = static_cast<size_t>(config_->number("stele.connection.requests.max"));
  limits.connection.response_bytes_waiting_max = static_cast<size_t>(config_->number("stele.connection.answers.bytes"));
  limits.connection.idle_max = millis("connections.max.idle.ms");
  limits.connection.partial_frame_max = millis("stele.connection.frame.timeout.ms");
  limits.connection.write_stall_max = millis("stele.connection.write.timeout.ms");
  limits.budget_bytes = {share("stele.memory.data.bytes"), share("stele.memory.control.bytes"),
                         share("stele.memory.groups.bytes")};
  return limits;
}

void BrokerProcess::deliver(base::ShardId shard, std::unique_ptr<io::DetachedStream> stream,
                            server::ConnectionInfo info) {
  auto mail = std::make_unique<DeliverMail>();
  mail->to = parts_.at(shard.value()).server.get();
  mail->stream = std::move(stream);
  mail->info = std::move(info);
  shards_.front()->send(shard, std::move(mail));
}

base::Result<void> BrokerProcess::bind() {
  const auto bind_one = [this](const config::Endpoint& endpoint, bool controller) -> base::Result<void> {
    STELE_TRY_ASSIGN(const uint16_t port, acceptor_->bind(endpoint.listener, controller,
                                                          {endpoint.host, static_cast<uint16_t>(endpoint.port)}));
    ports_[endpoint.listener] = port;
    return {};
  };
  for (const config::Endpoint& endpoint : config_->listeners().brokers) STELE_TRY(bind_one(endpoint, false));
  for (const config::Endpoint& endpoint : config_->listeners().controllers) STELE_TRY(bind_one(endpoint, true));
  return {};
}

uint16_t BrokerProcess::port(const std::string& listener) const {
  const auto at = ports_.find(listener);
  return at == ports_.end() ? uint16_t{0} : at->second;
}

// An advertised port of 0 stands for the one that was bound.
std::vector<metadata::Endpoint> BrokerProcess::advertised() const {
  std::vector<metadata::Endpoint> endpoints;
  for (const config::Endpoint& endpoint : config_->listeners().advertised) {
    const auto port_number = endpoint.port != 0 ? static_cast<uint16_t>(endpoint.port) : port(endpoint.listener);
    endpoints.push_back({endpoint.listener,
                         endpoint.host.empty() ? machine_.host_name : endpoint.host,
                         port_number,
                         static_cast<int16_t>(metadata::SecurityProtocol::kPlaintext),
                         {}});
  }
  return endpoints;
}

std::vector<metadata::Endpoint> BrokerProcess::controller_endpoints() const {
  std::vector<metadata::Endpoint> endpoints;
  for (const config::Endpoint& endpoint : config_->listeners().controllers) {
    endpoints.push_back({endpoint.listener,
                         endpoint.host.empty() ? machine_.host_name : endpoint.host,
                         port(endpoint.listener),
                         static_cast<int16_t>(metadata::SecurityProtocol::kPlaintext),
                         {}});
  }
  return endpoints;
}

int BrokerProcess::fail(const char* what, const base::Error& error, int otherwise) {
  shards_.front()->log().error("{}: {}", what, error.message);
  if (error.code == base::ErrorCode::kInvalidConfig) return kExitConfig;
  if (error.os_error == EAGAIN || error.os_error == EACCES) return kExitLock;
  if (error.code == base::ErrorCode::kKafkaStorageError) return kExitDisk;
  return otherwise;
}

base::Task<int> BrokerProcess::run(NotifyTermination notify_termination) {
  io::Shard& control = *shards_.front();
  const auto bound = bind();
  if (!bound.ok()) co_return fail("a listener cannot be bound", bound.error(), kExitPort);
  const int64_t http_port = config_->number("stele.http.port");
  if (http_port >= 0) {
    auto http = http_->listen({config_->text("stele.http.host"), static_cast<uint16_t>(http_port)});
    if (!http.ok()) co_return fail("stele.http.port cannot be bound", http.error(), kExitPort);
    ports_["http"] = *http;
  }
  const auto opened = co_await broker_->open_dirs(config_);
  if (!opened.ok()) co_return fail("the log dirs cannot be used", opened.error(), kExitDisk);
  if (broker_->controller().image()->next_index == base::Offset{0}) {
    start_kind_ = "first";
  } else if (broker_->log_dirs().clean_epoch() != base::BrokerEpoch{-1}) {
    start_kind_ = "clean";
  }
  const auto started = co_await serve();
  if (!started.ok()) co_return fail("the broker cannot start", started.error(), kExitFailed);
  const broker::StartProgress progress = broker_->progress();
  if (!progress.complete()) {
    control.log().info("serving: {} of {} partitions are open, the others follow", progress.partitions_ready,
                       progress.partitions_total);
  }
  broker_->when_complete([this]() { say_ready(); });
  notify_termination(broker_->fatal());
  co_await broker_->fatal().wait();
  if (!broker_->fatal_reason().empty()) {
    control.log().error("the broker stops: {}", broker_->fatal_reason());
  } else {
    control.log().info("stopping");
  }
  co_await stop();
  co_return broker_->fatal_reason().empty() ? kExitStopped : kExitFailed;
}

base::Task<base::Result<void>> BrokerProcess::serve() {
  broker::BrokerOptions options;
  options.config = config_;
  options.endpoints = advertised();
  options.controller_endpoints = controller_endpoints();
  STELE_CO_TRY(co_await broker_->start(std::move(options)));
  for (ShardParts& parts : parts_) {
    server::ShardServer* server = parts.server.get();
    co_await io::run_on(*shards_.front(), parts.broker->home(), [server]() { return start_sweeping(*server); });
  }
  acceptor_->start();
  co_return base::Result<void>{};
}

base::Task<void> BrokerProcess::stop() {
  acceptor_->stop();
  const base::MonoTime deadline =
      shards_.front()->clock().now() + std::chrono::milliseconds{config_->number("stele.shutdown.timeout.ms")};
  for (ShardParts& parts : parts_) {
    server::ShardServer* server = parts.server.get();
    co_await io::run_on(*shards_.front(), parts.broker->home(),
                        [server, deadline]() { return drain(*server, deadline); });
  }
  co_await broker_->stop();
  shards_.front()->log().info("stopped");
}

void BrokerProcess::say_ready() {
  const StartReport told = report();
  shards_.front()->log().info("ready: {}", told.to_text());
  if (on_ready_) on_ready_(told);
}

StartReport BrokerProcess::report() const {
  StartReport out;
  out.version = STELE_VERSION;
  out.node = broker_->identity().id.value();
  out.cluster = broker_->identity().cluster_id;
  for (const config::Endpoint& endpoint : config_->listeners().brokers) {
    out.listeners.push_back(fmt::format("{}://{}:{}", endpoint.listener, endpoint.host, port(endpoint.listener)));
  }
  out.http_port = port("http");
  for (size_t i = 0; i < broker_->log_dirs().size(); ++i) {
    const bool offline = broker_->log_dirs().offline(i);
    out.dirs.emplace_back(broker_->log_dirs().path(i), offline ? "" : broker_->log_dirs().id(i).to_string());
  }
  out.start = start_kind_;
  const metadata::ImagePtr image = broker_->controller().image();
  image->features.for_each(
      [&](const std::string& name, const auto& level) { out.features.emplace_back(name, level.first); });
  out.topics = image->topic_count();
  out.partitions = image->partition_count();
  return out;
}

base::Task<std::vector<admin::ShardReport>> BrokerProcess::shard_reports() {
  std::vector<admin::ShardReport> reports;
  for (ShardParts& parts : parts_) {
    ShardParts* of = &parts;
    reports.push_back(co_await io::run_on(*shards_.front(), parts.broker->home(), [of]() { return report_here(*of); }));
  }
  co_return reports;
}

base::Task<admin::ShardReport> BrokerProcess::report_here(const ShardParts& parts) {
  co_return admin::report_shard(*parts.server, *parts.router, *parts.broker);
}

// The difference to a state that is one to two kQuantileSpans old, where somebody asks often enough.
server::Traffic BrokerProcess::lately(const server::Traffic& all) {
  const base::MonoTime now = shards_.front()->clock().now();
  if (now - newer_mark_.at >= kQuantileSpan) {
    older_mark_ = std::move(newer_mark_);
    newer_mark_.at = now;
    newer_mark_.traffic = all.since({});
  }
  return all.since(older_mark_.traffic);
}

base::Task<std::string> BrokerProcess::metrics() {
  admin::MetricsText text;
  admin::add_start(text, broker_->progress());
  const std::vector<admin::ShardReport> shards = co_await shard_reports();
  server::Traffic all;
  std::map<std::string, admin::TopicReport> topics;
  for (const admin::ShardReport& shard : shards) {
    all.merge(shard.traffic);
    for (const auto& [name, topic] : shard.topics) topics[name] += topic;
  }
  admin::add_requests(text, all, lately(all));
  admin::add_topics(text, topics);
  admin::add_shards(text, shards);
  if (const metadata::ImagePtr image = broker_->controller().image()) admin::add_controller(text, *image);
  const auto dirs = co_await broker_->dir_status();
  admin::add_log_dirs(text, dirs);
  admin::add_limits(text, shards, *acceptor_);
  co_return text.text();
}

base::Task<io::HttpResponse> BrokerProcess::answer_http(io::HttpRequest request) {
  io::HttpResponse response;
  if (request.target == "/live") {
    response.body = "live\n";
  } else if (request.target == "/ready") {
    const broker::StartProgress progress = broker_->progress();
    response.status = progress.complete() ? 200 : 503;
    response.body = progress.complete() ? "serving\n"
                                        : fmt::format("{}recovering {} of {}\n", progress.serving ? "serving, " : "",
                                                      progress.partitions_ready, progress.partitions_total);
  } else if (request.target == "/metrics") {
    response.content_type = admin::kMetricsContentType;
    response.body = co_await metrics();
  } else if (request.target == "/stats") {
    response.content_type = "application/json";
    response.body = stats_text({.version = STELE_VERSION,
                                .node = broker_->identity().id.value(),
                                .cluster = broker_->identity().cluster_id,
                                .at = shards_.front()->clock().now()},
                               co_await shard_reports());
  } else {
    response.status = 404;
    response.body = "there is /live, /ready, /metrics and /stats\n";
  }
  co_return response;
}

}  // namespace stele::app
