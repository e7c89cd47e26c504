// stele_load: one load on one broker, over Kafka's protocol. Prints one line of JSON; exits with 1 where an answer is
// missing or wrong.
#include <fmt/format.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "load/fetch.h"
#include "load/frames.h"
#include "load/produce.h"
#include "load/requests.h"

namespace stele::bench {
namespace {

struct Options {
  std::string address = "127.0.0.1:9092";
  RequestOptions request{.topic = "bench"};
  std::string codec = "none";
  int connections = 4;
  int in_flight = 5;
  int64_t requests = 0;
  int64_t bytes = 0;
  int64_t warm_requests = 0;
  int64_t warm_bytes = 0;
  double rate = 0;
  double seconds = 0;
  double warm_seconds = 0;
  bool bare = false;
  bool shared = false;
  bool create = false;
  bool check = false;
  int topics = 1;
  int readers = 1;
  bool tail = false;
  pid_t pid = 0;
  std::vector<std::string> configs;
};

std::vector<std::pair<std::string, std::string>> split_configs(const std::vector<std::string>& configs) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const std::string& config : configs) {
    const size_t equals = config.find('=');
    if (equals == std::string::npos) fail("--config takes name=value");
    out.emplace_back(config.substr(0, equals), config.substr(equals + 1));
  }
  return out;
}

int64_t sum(const std::vector<int64_t>& values) { return std::accumulate(values.begin(), values.end(), int64_t{0}); }

// How many requests make up `bytes`, all connections taken together.
int64_t requests_of(int64_t bytes, const std::vector<PreparedRequest>& prepared) {
  int64_t total = 0;
  for (const PreparedRequest& request : prepared) total += request.batch_bytes;
  return std::max<int64_t>(1, bytes * static_cast<int64_t>(prepared.size()) / total);
}

int produce(Options& options) {
  const auto codec = record::codec_of(options.codec);
  if (!codec) fail("no such codec");
  if (options.request.acks == 0) fail("without acknowledgements nothing can be measured");
  options.request.codec = *codec;
  const std::vector<PreparedRequest> prepared = prepare_requests(options.request);
  std::unique_ptr<Caller> caller;
  const std::string& topic = options.request.topic;
  int64_t before = 0;
  if (!options.bare) {
    caller = std::make_unique<Caller>(options.address);
    if (options.create) {
      create_topics(*caller, {{topic, options.request.partitions, split_configs(options.configs)}});
    }
    before = sum(offsets(*caller, topic, options.request.partitions, -1));
  }
  Producers producers(options.address, options.connections, options.in_flight, prepared, options.pid, options.bare);
  auto warm = std::make_unique<Phase>(), measured = std::make_unique<Phase>();
  const int64_t warm_requests =
      options.warm_bytes > 0 ? requests_of(options.warm_bytes, prepared) : options.warm_requests;
  if (warm_requests > 0) producers.closed(warm_requests, *warm);
  int64_t acknowledged = warm->records;
  if (options.rate > 0) {
    if (options.warm_seconds > 0) {
      auto warm_open = std::make_unique<Phase>();
      producers.open(options.rate, options.warm_seconds, *warm_open);
      acknowledged += warm_open->records;
    }
    producers.open(options.rate, options.seconds, *measured);
  } else {
    producers.closed(options.bytes > 0 ? requests_of(options.bytes, prepared) : options.requests, *measured);
  }
  acknowledged += measured->records;
  if (caller && !options.shared) {
    const int64_t there = sum(offsets(*caller, topic, options.request.partitions, -1)) - before;
    if (there != acknowledged) fail(fmt::format("{} records were acknowledged, {} are there", acknowledged, there));
  }
  fmt::print("{}\n", measured->json());
  return 0;
}

int fetch(Options& options) {
  Caller caller(options.address);
  const std::string& topic = options.request.topic;
  const int32_t partitions = partitions_of(caller, topic);
  if (partitions == 0) fail("no such topic: " + topic);
  FetchOptions fetching{.address = options.address,
                        .topic = topic,
                        .partitions = partitions,
                        .readers = options.readers,
                        .tail = options.tail,
                        .check = options.check,
                        .pid = options.pid};
  Readers readers(fetching, offsets(caller, topic, partitions, -2), offsets(caller, topic, partitions, -1));
  auto measured = std::make_unique<Phase>();
  if (options.bytes == 0 && options.seconds == 0) {
    readers.pass(*measured);
  } else {
    auto warm = std::make_unique<Phase>();
    if (options.warm_bytes > 0) readers.run(options.warm_bytes, 0, *warm);
    readers.run(options.bytes > 0 ? options.bytes : INT64_MAX, options.seconds, *measured);
  }
  fmt::print("{}\n", measured->json());
  return 0;
}

// Connections that have asked once and then say nothing.
int idle(const Options& options) {
  std::vector<std::unique_ptr<Caller>> callers;
  auto ask = [](Caller& caller) { caller.call(FrameWriter(18, 0).done()); };
  Caller first(options.address);
  ask(first);
  const int64_t resident = resident_bytes(options.pid);
  for (int i = 0; i < options.connections; ++i) ask(*callers.emplace_back(std::make_unique<Caller>(options.address)));
  Phase phase;
  phase.before = usage(options.pid);
  const auto nanoseconds = static_cast<int64_t>(options.seconds * 1e9);
  const timespec time{nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
  ::nanosleep(&time, nullptr);
  phase.after = usage(options.pid);
  phase.resident = resident_bytes(options.pid);
  const double cpu = phase.after.user + phase.after.system - phase.before.user - phase.before.system;
  fmt::print(R"({{"connections":{},"seconds":{:.3f},"cpu":{:.3f},"resident_before":{},"resident":{}}})"
             "\n",
             options.connections, phase.seconds(), cpu, resident, phase.resident);
  return 0;
}

int create(const Options& options) {
  Caller caller(options.address);
  const int64_t start = now_ns();
  for (int i = 0; i < options.topics; ++i) {
    const std::string name =
        options.topics == 1 ? options.request.topic : fmt::format("{}-{}", options.request.topic, i);
    create_topics(caller, {{name, options.request.partitions, split_configs(options.configs)}}, false);
  }
  const int64_t answered = now_ns();
  for (int i = 0; i < options.topics; ++i) {
    const std::string name =
        options.topics == 1 ? options.request.topic : fmt::format("{}-{}", options.request.topic, i);
    wait_for_leaders(caller, name, options.request.partitions);
  }
  fmt::print(R"({{"answered_seconds":{:.3f},"seconds":{:.3f},"resident":{}}})"
             "\n",
             static_cast<double>(answered - start) / 1e9, static_cast<double>(now_ns() - start) / 1e9,
             resident_bytes(options.pid));
  return 0;
}

int remove(const Options& options) {
  Caller caller(options.address);
  delete_topic(caller, options.request.topic);
  return 0;
}

// One answer of a produce to `topic`, if it is one without error.
bool acknowledged(int fd, const PreparedRequest& request) {
  timeval patience{.tv_sec = 60, .tv_usec = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (::send(fd, request.frame.data(), request.frame.size(), MSG_NOSIGNAL) < 0) return false;
  bool good = false, answered = false;
  Inbox inbox;
  while (!answered) {
    const bool open = inbox.drain(fd, [&](base::Bytes answer) {
      FrameReader in(answer.subspan(4));
      if (in.get<int32_t>() == 1 && (in.text(), in.get<int32_t>()) == 1) {
        in.get<int32_t>();
        good = in.get<int16_t>() == 0;
      }
      answered = true;
    });
    if (!open) return false;
  }
  return good;
}

// Waits until one record to an existing topic is acknowledged; tells the moment, for one who knows when the process was
// started.
int first(Options& options) {
  const std::vector<PreparedRequest> prepared = prepare_requests(options.request);
  const int64_t deadline = now_ns() + static_cast<int64_t>(options.seconds > 0 ? options.seconds * 1e9 : 300e9);
  while (now_ns() < deadline) {
    const int fd = try_connect(options.address);
    const bool done = fd >= 0 && acknowledged(fd, prepared.front());
    if (fd >= 0) ::close(fd);
    if (done) {
      fmt::print(R"({{"at_ns":{},"resident":{}}})"
                 "\n",
                 now_ns(), resident_bytes(options.pid));
      return 0;
    }
    const timespec pause{0, 1'000'000};
    ::nanosleep(&pause, nullptr);
  }
  fail("nothing was acknowledged in time");
}

void add_common(CLI::App& command, Options& options) {
  command.add_option("--address", options.address, "IPv4 host:port");
  command.add_option("--topic", options.request.topic);
  command.add_option("--pid", options.pid, "the process whose CPU time and memory are read");
}

void add_topic(CLI::App& command, Options& options) {
  command.add_option("--partitions", options.request.partitions);
  command.add_option("--config", options.configs, "name=value of the topic that is created");
}

void add_produce(CLI::App& command, Options& options) {
  add_common(command, options);
  add_topic(command, options);
  command.add_flag("--create", options.create, "creates the topic first");
  command.add_option("--batch-bytes", options.request.batch_bytes, "a batch takes as many records as fit");
  command.add_option("--records", options.request.records, "records of a batch, whatever its size");
  command.add_option("--record-bytes", options.request.record_bytes, "of a value");
  command.add_option("--key-bytes", options.request.key_bytes, "0 for no key");
  command.add_option("--partitions-per-request", options.request.partitions_per_request);
  command.add_option("--acks", options.request.acks);
  command.add_option("--codec", options.codec, "none gzip snappy lz4 zstd");
  command.add_option("--connections", options.connections);
  command.add_option("--in-flight", options.in_flight,
                     "requests of a connection without an answer, in the closed loop");
  command.add_option("--requests", options.requests, "how many in the closed loop");
  command.add_option("--bytes", options.bytes, "of batches, instead of --requests");
  command.add_option("--warm-requests", options.warm_requests, "sent before, not measured");
  command.add_option("--warm-bytes", options.warm_bytes);
  command.add_option("--rate", options.rate, "requests a second: the open loop");
  command.add_option("--seconds", options.seconds, "of the open loop");
  command.add_option("--warm-seconds", options.warm_seconds);
  command.add_flag("--bare", options.bare, "nothing but Produce is asked, for the floors");
  command.add_flag("--shared", options.shared,
                   "others write to the topic: its end is not compared with what was acknowledged");
}

void add_fetch(CLI::App& command, Options& options) {
  add_common(command, options);
  command.add_option("--readers", options.readers, "each reads everything");
  command.add_option("--bytes", options.bytes,
                     "until so much is read by all together; without it and --seconds, once from start to end");
  command.add_option("--warm-bytes", options.warm_bytes);
  command.add_option("--seconds", options.seconds);
  command.add_flag("--tail", options.tail, "from the end on");
  command.add_flag("--check", options.check, "the checksum of every batch");
}

int run(int argc, char** argv) {
  CLI::App app{"One load on one broker that speaks Kafka's protocol"};
  app.require_subcommand(1);
  Options options;
  CLI::App* producing = app.add_subcommand("produce", "producers, closed or open loop");
  add_produce(*producing, options);
  CLI::App* fetching = app.add_subcommand("fetch", "readers");
  add_fetch(*fetching, options);
  CLI::App* idling = app.add_subcommand("idle", "connections that say nothing");
  add_common(*idling, options);
  idling->add_option("--connections", options.connections);
  idling->add_option("--seconds", options.seconds);
  CLI::App* creating = app.add_subcommand("create", "topics, and how long that takes");
  add_common(*creating, options);
  add_topic(*creating, options);
  creating->add_option("--topics", options.topics, "as many, named <topic>-<number>");
  CLI::App* removing = app.add_subcommand("delete", "a topic");
  add_common(*removing, options);
  CLI::App* waiting = app.add_subcommand("first", "until the first acknowledged record");
  add_produce(*waiting, options);
  CLI11_PARSE(app, argc, argv);

  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  if (*producing) return produce(options);
  if (*fetching) return fetch(options);
  if (*idling) return idle(options);
  if (*creating) return create(options);
  if (*removing) return remove(options);
  return first(options);
}

}  // namespace
}  // namespace stele::bench

int main(int argc, char** argv) { return stele::bench::run(argc, argv); }
