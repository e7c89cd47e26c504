#include "sim/swarm/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace stele::sim::swarm {

namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;

// Draws from a range so that every order of magnitude is as likely as another.
int64_t draw_scaled(base::Random& random, int64_t low, int64_t high) {
  int64_t steps = 0;
  for (int64_t at = std::max<int64_t>(1, low); at < high; at *= 2) ++steps;
  // The number of doublings is uniform over those that fit.
  const auto chosen = static_cast<int64_t>(random.below(static_cast<uint64_t>(steps) + 1));
  const int64_t bottom = std::min(high, std::max<int64_t>(1, low) << chosen);
  const int64_t room = std::min(high, bottom * 2) - bottom;
  return room <= 0 ? bottom : bottom + static_cast<int64_t>(random.below(static_cast<uint64_t>(room)));
}

bool one_in(base::Random& random, uint64_t n) { return random.below(n) == 0; }

template <class T>
T draw_from(base::Random& random, std::initializer_list<T> values) {
  return values.begin()[random.below(values.size())];
}

void draw_config(base::Random& random, Plan& plan) {
  config::ConfigMap& config = plan.config;
  const auto sometimes = [&](const char* name, int64_t low, int64_t high) {
    const int64_t value = draw_scaled(random, low, high);
    if (!one_in(random, 3)) config[name] = std::to_string(value);
  };
  sometimes("log.flush.offset.checkpoint.interval.ms", 20, 60'000);
  sometimes("log.flush.start.offset.checkpoint.interval.ms", 20, 60'000);
  sometimes("replica.high.watermark.checkpoint.interval.ms", 20, 5000);
  sometimes("log.retention.check.interval.ms", 50, 10'000);
  sometimes("log.initial.task.delay.ms", 1, 3000);
  sometimes("log.segment.delete.delay.ms", 1, 60'000);
  // Down to the one frame that must fit.
  const int64_t frame = draw_scaled(random, 1 << 16, 4 << 20);
  config["socket.request.max.bytes"] = std::to_string(frame);
  for (const char* name : {"stele.memory.data.bytes", "stele.memory.control.bytes", "stele.memory.groups.bytes"}) {
    sometimes(name, std::max<int64_t>(frame, 1 << 20), 64 << 20);
  }
  sometimes("stele.connection.requests.max", 1, 1000);
  sometimes("stele.connection.answers.bytes", 65'536, 1 << 20);
  sometimes("stele.fetch.waiters.max", 1, 1000);
  sometimes("stele.fetch.session.partitions.max", 1, 1000);
  sometimes("stele.fetch.recheck.ms", 0, 60'000);
  sometimes("max.incremental.fetch.session.cache.slots", 1, 100);
  sometimes("connections.max.idle.ms", 1000, 600'000);
  sometimes("fetch.max.bytes", 1024, 1 << 20);
  sometimes("num.recovery.threads.per.data.dir", 1, 8);
  sometimes("metadata.log.max.record.bytes.between.snapshots", 1, 1 << 16);
  sometimes("group.initial.rebalance.delay.ms", 1, 1000);
  sometimes("max.connections", 100, 1000);  // half-open ones hold a place
  config["group.min.session.timeout.ms"] = "500";
  config["offsets.topic.num.partitions"] = std::to_string(1 + random.below(3));
  config["log.dirs"] = fmt::format("{}", fmt::join(plan.log_dirs, ","));
  config["stele.http.port"] = "-1";
  config["stele.durability"] = plan.synced ? "synced" : "replicated";
  // None, one whose files are used again all the time, one that never fills.
  config["stele.journal.bytes"] = one_in(random, 5) ? "0" : std::to_string(draw_scaled(random, 1 << 16, 1 << 22));
}

TopicPlan draw_topic(base::Random& random, size_t number, int32_t partitions_max) {
  TopicPlan topic;
  topic.name = fmt::format("t{}", number);
  topic.partitions = 1 + static_cast<int32_t>(random.below(static_cast<uint64_t>(partitions_max)));
  topic.segment_bytes = draw_scaled(random, 256, 65'536);
  topic.config["internal.segment.bytes"] = std::to_string(topic.segment_bytes);
  topic.config["index.interval.bytes"] = std::to_string(draw_scaled(random, 1, 8192));
  topic.config["file.delete.delay.ms"] = std::to_string(draw_scaled(random, 1, 60'000));
  if (one_in(random, 4)) topic.config["segment.index.bytes"] = std::to_string(draw_scaled(random, 24, 4096));
  if (one_in(random, 4)) topic.config["retention.bytes"] = std::to_string(draw_scaled(random, 512, 65'536));
  if (one_in(random, 6)) topic.config["retention.ms"] = std::to_string(draw_scaled(random, 500, 20'000));
  if (one_in(random, 8)) topic.config["segment.ms"] = std::to_string(draw_scaled(random, 50, 5000));
  if (one_in(random, 6)) topic.config["stele.durability"] = one_in(random, 2) ? "synced" : "replicated";
  if (one_in(random, 8)) topic.config["message.timestamp.type"] = "LogAppendTime";
  if (one_in(random, 8)) topic.config["compression.type"] = draw_from(random, {"gzip", "lz4", "snappy", "zstd"});
  if (one_in(random, 8)) topic.config["max.message.bytes"] = std::to_string(draw_scaled(random, 512, 65'536));
  return topic;
}

ClientPlan draw_client(base::Random& random, ClientKind kind) {
  ClientPlan client{.kind = kind, .seed = random.next()};
  client.operations = static_cast<uint32_t>(draw_scaled(random, 10, 160));
  client.acks = draw_from<int16_t>(random, {0, 1, -1, -1});
  client.in_flight = 1 + static_cast<uint32_t>(random.below(5));
  client.group = static_cast<int32_t>(random.below(2));
  client.timeout = milliseconds{draw_scaled(random, 200, 8000)};
  client.think = milliseconds{draw_scaled(random, 1, 200)};
  client.attempts_max = static_cast<uint32_t>(draw_scaled(random, 2, 64));
  client.sessions = !one_in(random, 3);
  client.narrow = one_in(random, 3);
  if (client.narrow && one_in(random, 2)) client.in_flight = 5;
  if (kind == ClientKind::kAdmin) client.operations = std::min(client.operations, 25U);
  return client;
}

void draw_clients(base::Random& random, Plan& plan, uint32_t clients_max) {
  const auto count = 1 + static_cast<uint32_t>(random.below(8));
  // Somebody writes in any case.
  plan.clients.push_back(draw_client(random, one_in(random, 2) ? ClientKind::kIdempotent : ClientKind::kPlain));
  for (uint32_t i = 1; i < count; ++i) {
    constexpr ClientKind kKinds[] = {ClientKind::kPlain,  ClientKind::kIdempotent, ClientKind::kReader,
                                     ClientKind::kReader, ClientKind::kMember,     ClientKind::kLoner,
                                     ClientKind::kAdmin};
    plan.clients.push_back(draw_client(random, kKinds[random.below(std::size(kKinds))]));
  }
  if (plan.clients.size() > clients_max) plan.clients.resize(std::max(1U, clients_max));
}

// A chance in a million, or none.
uint32_t draw_chance(base::Random& random, int64_t highest) {
  const auto chance = static_cast<uint32_t>(draw_scaled(random, 20, highest));
  return one_in(random, 2) ? chance : 0;
}

// Limits that came later. Most seeds are to do their work: few have a small one.
//
// Left large: stele.producer.ids.max (and producer.id.expiration.ms), since a producer that a partition has forgotten
// may lawfully write twice, and no judge of idempotence is left. stele.batch.decompressed.bytes.max and
// stele.group.members.bytes.max have least values that no client here comes near.
void draw_limits(Plan& plan) {
  base::SeededRandom random = plan.stream(17);
  const auto limit = [&](const char* name, int64_t least, int64_t ordinary, int64_t most) {
    const bool small = one_in(random, 6);
    plan.config[name] =
        std::to_string(small ? draw_scaled(random, least, ordinary) : draw_scaled(random, ordinary, most));
  };
  limit("stele.connection.frame.timeout.ms", 50, 1000, 60'000);
  limit("stele.connection.write.timeout.ms", 50, 1000, 60'000);
  limit("stele.shutdown.timeout.ms", 0, 1000, 30'000);
  limit("stele.request.elements.max", 64, 1000, 1'000'000);
  limit("stele.produce.waiters.max", 1, 100, 100'000);
  limit("stele.fetch.sessions.partitions.max", 1, 100, 100'000);
  limit("stele.batch.decompressed.bytes.max", 1 << 20, 1 << 24, 1 << 30);
  limit("stele.producer.ids.max", 5000, 10'000, 100'000);
  limit("stele.open.files.max", 1, 100, 10'000);
  limit("stele.groups.max", 1, 10, 100'000);
  limit("stele.group.members.bytes.max", 1 << 20, 1 << 24, 1 << 30);
  limit("stele.group.offsets.max", 1, 100, 100'000);
  limit("group.max.size", 1, 8, 1000);
  limit("offset.metadata.max.bytes", 1, 256, 4096);
  limit("max.connection.creation.rate", 5, 100, 10'000);
  limit("stele.log.dir.check.interval.ms", 10, 100, 10'000);
  // Half-open connections, and those of clients that were cut off, hold a place for longer than anybody waits.
  const bool lingering = plan.network.half_open > 0 || plan.cut_off > base::Duration{0};
  limit("max.connections.per.ip", lingering ? 100 : 12, 100, 1000);
  // What the set-up makes, and the topic of the groups, has room in any case.
  int64_t partitions = std::stoll(plan.config.at("offsets.topic.num.partitions"));
  for (const TopicPlan& topic : plan.topics) partitions += topic.partitions;
  limit("stele.partitions.max", partitions, partitions + 20, 1000);
  const int64_t free = draw_scaled(random, 1024, 1 << 20);
  if (one_in(random, 3)) plan.config["stele.log.dir.min.free.bytes"] = one_in(random, 3) ? "0" : std::to_string(free);
  for (ClientPlan& client : plan.clients) {
    base::SeededRandom own = news_of(client, 2);
    client.session_timeout = milliseconds{draw_scaled(own, 500, 10'000)};
    client.rebalance_timeout = milliseconds{draw_scaled(own, 100, 10'000)};
    client.metadata_bytes = one_in(own, 2) ? static_cast<uint32_t>(draw_scaled(own, 1, 512)) : 0;
  }
}

// Where processes end all the time, few members ever get a partition: some seeds have a group that has time to.
void draw_group(Plan& plan, uint32_t clients_max) {
  base::SeededRandom random = plan.stream(19);
  const bool wanted = one_in(random, 4);
  const uint64_t members = 2 + random.below(3);
  if (!wanted) return;
  for (uint64_t i = 0; i < members && plan.clients.size() < clients_max; ++i) {
    ClientPlan client = draw_client(random, ClientKind::kMember);
    client.group = 0;
    client.operations = 160;
    client.think = milliseconds{draw_scaled(random, 1, 50)};
    plan.clients.push_back(client);
  }
  plan.config["group.initial.rebalance.delay.ms"] = std::to_string(draw_scaled(random, 1, 50));
  plan.gap = std::max<base::Duration>(plan.gap, milliseconds{draw_scaled(random, 500, 4000)});
  plan.faults_for = std::max<base::Duration>(plan.faults_for, milliseconds{draw_scaled(random, 4000, 12'000)});
}

void draw_network(base::Random& random, Plan& plan) {
  io::NetworkFaults& network = plan.network;
  network.read_cut = static_cast<uint32_t>(draw_scaled(random, 1000, io::kAlways));
  network.read_cut_largest = one_in(random, 4) ? static_cast<uint64_t>(draw_scaled(random, 1, 100)) : 0;
  network.latency_mean = microseconds{draw_scaled(random, 50, 20'000)};
  network.write_cut = draw_chance(random, 300'000);
  network.stall = draw_chance(random, 20'000);
  network.stall_longest = milliseconds{draw_scaled(random, 5, 3000)};
  network.reset = draw_chance(random, 5000);
  network.half_open = draw_chance(random, 2000);
  network.refuse_connect = draw_chance(random, 300'000);
  network.accept_delay_longest = one_in(random, 3) ? milliseconds{draw_scaled(random, 1, 500)} : milliseconds{0};
  plan.cut_off = one_in(random, 3) ? milliseconds{draw_scaled(random, 5, 2000)} : milliseconds{0};
}

void draw_disk(base::Random& random, Plan& plan) {
  plan.disk.cache_miss = static_cast<uint32_t>(draw_scaled(random, 1000, io::kAlways));
  plan.disk.slow = draw_chance(random, 100'000);
  plan.disk.slow_longest = milliseconds{draw_scaled(random, 1, 100)};
  plan.disk.stuck = draw_chance(random, 1000);
  plan.disk.stuck_for = milliseconds{draw_scaled(random, 50, 3000)};
}

void draw_disk_errors(base::Random& random, Plan& plan) {
  plan.disk_errors = true;
  plan.bad_dir = plan.log_dirs.back();
  plan.bad_disk = plan.disk;
  plan.bad_disk.write_error = draw_chance(random, 3000);
  plan.bad_disk.short_write = draw_chance(random, 3000);
  plan.bad_disk.sync_error = draw_chance(random, 50'000);
  plan.bad_disk.directory_error = draw_chance(random, 1000);
  plan.bad_disk.read_error = draw_chance(random, 1000);
  if (one_in(random, 4)) plan.bad_disk.capacity_bytes = static_cast<uint64_t>(draw_scaled(random, 4096, 1 << 20));
  plan.bad_disk.read_only = one_in(random, 12);
  // What was not written though it was to be synced stays in view, and a later loss of power takes it. Where nothing
  // counts before it is synced, that is borne; else no recovery can tell.
  const bool lies = plan.bad_disk.sync_error > 0 && (plan.faults & bit_of(FaultKind::kPowerLoss)) != 0;
  plan.always_synced = lies && plan.synced;
  if (lies && !plan.synced) plan.faults &= ~bit_of(FaultKind::kPowerLoss);
  for (TopicPlan& topic : plan.topics) {
    if (plan.always_synced) topic.config.erase("stele.durability");
  }
}

void draw_loops(base::Random& random, Plan& plan) {
  plan.loops.link_delay_longest = microseconds{draw_scaled(random, 1, 5000)};
  plan.loops.offload_longest = microseconds{draw_scaled(random, 10, 5000)};
  plan.loops.slow_offload = draw_chance(random, 50'000);
  plan.loops.slow_offload_longest = milliseconds{draw_scaled(random, 1, 500)};
  plan.loops.pause = draw_chance(random, 2000);
  plan.loops.pause_longest = milliseconds{draw_scaled(random, 1, 100)};
}

void draw_faults(Plan& plan, const Limits& limits) {
  base::SeededRandom faults = plan.stream(4);
  for (const FaultKind kind : kAllFaults) {
    if (!one_in(faults, 3)) plan.faults |= bit_of(kind);
  }
  plan.faults &= ~limits.faults_off;
  const auto drawn = [&](FaultKind kind) { return (plan.faults & bit_of(kind)) != 0; };
  plan.faults_for = milliseconds{draw_scaled(faults, 200, 8000)};
  plan.gap = milliseconds{draw_scaled(faults, 5, 2000)};
  plan.down = milliseconds{draw_scaled(faults, 1, 500)};
  // Each from a stream of its own: to leave one out changes none of the others.
  base::SeededRandom own = plan.stream(10);
  if (drawn(FaultKind::kNetwork)) draw_network(own, plan);
  own = plan.stream(11);
  if (drawn(FaultKind::kSlowDisk)) draw_disk(own, plan);
  own = plan.stream(12);
  if (drawn(FaultKind::kLoops)) draw_loops(own, plan);
  own = plan.stream(13);
  if (drawn(FaultKind::kTearing)) {
    plan.power = {};
    for (uint32_t* weight :
         {&plan.power.none, &plan.power.prefix, &plan.power.subset, &plan.power.torn, &plan.power.zero_tail}) {
      *weight = static_cast<uint32_t>(own.below(4));
    }
    plan.power.none += 1;
    plan.power.keeps_names = !one_in(own, 3);
  }
  own = plan.stream(16);
  if (drawn(FaultKind::kDiskErrors) && one_in(own, 2)) draw_disk_errors(own, plan);
  // A log that met a full disk is opened anew, and cut where a read tells it to.
  const bool flips = drawn(FaultKind::kDiskErrors) && one_in(own, 6) && !plan.bad_disk.capacity_bytes;
  if (flips) plan.flipped_read = static_cast<uint32_t>(draw_scaled(own, 100, 20'000));
  own = plan.stream(14);
  if (drawn(FaultKind::kRareBranches)) {
    plan.rare = {.used = static_cast<uint32_t>(draw_scaled(own, 100'000, io::kAlways)),
                 .taken = static_cast<uint32_t>(draw_scaled(own, 1000, 300'000))};
  }
}

}  // namespace

const char* name_of(FaultKind kind) {
  constexpr const char* kNames[] = {"kill", "power", "stop", "pause",  "tearing", "network",
                                    "disk", "loops", "rare", "errors", "clients"};
  return kNames[static_cast<size_t>(kind)];
}

const char* name_of(ClientKind kind) {
  switch (kind) {
    case ClientKind::kPlain:
      return "plain producer";
    case ClientKind::kIdempotent:
      return "idempotent producer";
    case ClientKind::kReader:
      return "reader";
    case ClientKind::kMember:
      return "group member";
    case ClientKind::kLoner:
      return "loner";
    case ClientKind::kAdmin:
      return "admin";
  }
  return "?";
}

base::SeededRandom Plan::stream(uint64_t number) const {
  return base::SeededRandom{base::SeededRandom{seed * 0x9e3779b97f4a7c15ULL + number}.next()};
}

base::SeededRandom news_of(const ClientPlan& client, uint64_t number) {
  return base::SeededRandom{base::SeededRandom{client.seed * 0x9e3779b97f4a7c15ULL + number}.next()};
}

Plan draw_plan(uint64_t seed, const Limits& limits) {
  Plan plan;
  plan.seed = seed;
  plan.story = limits.story;
  base::SeededRandom random = plan.stream(1);
  const bool synced = one_in(random, 2);
  plan.synced = limits.durability == Durability::kAny ? synced : limits.durability == Durability::kSynced;
  plan.shards = 1 + static_cast<uint32_t>(random.below(3));
  plan.log_dirs = {"/data0"};
  if (one_in(random, 3)) plan.log_dirs.emplace_back("/data1");
  draw_config(random, plan);
  base::SeededRandom topics = plan.stream(2);
  const auto topic_count = 1 + topics.below(3);
  for (size_t i = 0; i < topic_count; ++i) plan.topics.push_back(draw_topic(topics, i, limits.partitions_max));
  base::SeededRandom clients = plan.stream(3);
  draw_clients(clients, plan, limits.clients_max);
  draw_faults(plan, limits);
  base::SeededRandom sizes = plan.stream(15);
  plan.value_bytes = static_cast<uint32_t>(draw_scaled(sizes, 8, 2048));
  plan.codecs = one_in(sizes, 3);
  plan.faults_events = limits.faults_events;
  if (plan.story >= 4) draw_group(plan, limits.clients_max);
  if (plan.story >= 3) draw_limits(plan);
  base::SeededRandom read_only = plan.stream(18);
  if (plan.story >= 4 && plan.disk_errors && one_in(read_only, 4)) {
    plan.read_only_after =
        base::Duration{1 + static_cast<int64_t>(read_only.below(static_cast<uint64_t>(plan.faults_for.count())))};
  }
  return plan;
}

std::string Plan::text() const {
  std::string text = fmt::format("seed {}: durability={}, {} shard(s), {} log dir(s)\n", seed,
                                 synced ? "synced" : "replicated", shards, log_dirs.size());
  for (const auto& [name, value] : config) text += fmt::format("  {}={}\n", name, value);
  for (const TopicPlan& topic : topics) {
    text += fmt::format("  topic {} of {} partition(s):", topic.name, topic.partitions);
    for (const auto& [name, value] : topic.config) text += fmt::format(" {}={}", name, value);
    text += "\n";
  }
  for (size_t i = 0; i < clients.size(); ++i) {
    const ClientPlan& client = clients[i];
    text += fmt::format("  client {}: {}, {} operations, acks {}, {} in flight, time-out {} ms, gives up after {}\n", i,
                        name_of(client.kind), client.operations, client.acks, client.in_flight,
                        duration_cast<milliseconds>(client.timeout).count(), client.attempts_max);
  }
  text += "  faults:";
  for (const FaultKind kind : kAllFaults) {
    if ((faults & bit_of(kind)) != 0) text += fmt::format(" {}", name_of(kind));
  }
  text += fmt::format("; for {} ms, one in {} ms, down for {} ms\n", duration_cast<milliseconds>(faults_for).count(),
                      duration_cast<milliseconds>(gap).count(), duration_cast<milliseconds>(down).count());
  return text;
}

}  // namespace stele::sim::swarm
