// stele produce: each line of the input becomes a record.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/command.h"
#include "app/common_options.h"
#include "app/progress.h"
#include "app/rdkafka_handle.h"
#include "app/record_line.h"

namespace stele::app {

namespace {

struct ProduceArguments {
  ClientOptions client;
  std::string topic;
  std::vector<std::string> files;
  std::optional<std::string> key_separator;
  std::optional<std::string> null_text;
  std::vector<std::string> headers;
  std::string compression = "none";
  std::string acks = "all";
  int32_t partition = RD_KAFKA_PARTITION_UA;
  bool idempotent = false;
  bool quiet = false;
};

// What became of the records so far; written by the library's callback, inside our own calls of rd_kafka_poll().
struct Deliveries {
  uint64_t delivered = 0;
  uint64_t failed = 0;
  rd_kafka_resp_err_t first_failure = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::map<int32_t, uint64_t> by_partition;
};

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto& deliveries = *static_cast<Deliveries*>(opaque);
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++deliveries.delivered;
    ++deliveries.by_partition[message->partition];
  } else {
    if (deliveries.failed++ == 0) deliveries.first_failure = message->err;
  }
}

class Producer {
 public:
  Producer(const ProduceArguments& arguments, RdHeaders headers)
      : arguments_(arguments),
        headers_(std::move(headers)),
        progress_("records", arguments.quiet || arguments.client.json) {
    if (arguments.key_separator) separator_ = unescape(*arguments.key_separator);
  }

  base::Result<void> open() {
    const std::string timeout_ms = std::to_string(arguments_.client.timeout().count());
    std::vector<KeyValue> settings{{"acks", arguments_.acks},
                                   {"compression.codec", arguments_.compression},
                                   {"partitioner", "murmur2_random"},  // keys go where Java's client puts them
                                   {"linger.ms", "5"},
                                   {"message.timeout.ms", timeout_ms},
                                   {"message.max.bytes", "1000000000"},  // the broker judges, not we
                                   {"queue.buffering.max.messages", "200000"}};
    if (arguments_.idempotent) settings.emplace_back("enable.idempotence", "true");
    STELE_TRY_ASSIGN(RdConfig config, make_rd_config(arguments_.client, settings));
    rd_kafka_conf_set_opaque(config.get(), &deliveries_);
    rd_kafka_conf_set_dr_msg_cb(config.get(), on_delivery);
    STELE_TRY_ASSIGN(client_, make_rd_client(RD_KAFKA_PRODUCER, std::move(config)));
    return {};
  }

  // Reads to the end, or to the first record that was not taken.
  base::Result<void> send_lines(std::FILE* from, std::string_view name) {
    char* line = nullptr;
    size_t room = 0;
    base::Result<void> sent;
    uint64_t number = 0;
    while (sent.ok() && deliveries_.failed == 0) {
      const ssize_t size = ::getline(&line, &room, from);
      if (size < 0) break;
      sent = send({line, static_cast<size_t>(size)}, name, ++number);
      rd_kafka_poll(client_.get(), 0);
      progress_.show();
    }
    std::free(line);  // NOLINT: getline's
    if (sent.ok() && std::ferror(from) != 0) {
      return base::Error{base::ErrorCode::kUnknownServerError,
                         fmt::format("cannot read {}: {}", name, std::strerror(errno)), errno};
    }
    return sent;
  }

  // Waits until every record was answered; the exit code.
  int close(const base::Result<void>& sent) {
    while (rd_kafka_outq_len(client_.get()) > 0) {
      rd_kafka_poll(client_.get(), 100);
      progress_.show();
    }
    progress_.finish();
    if (arguments_.client.json) {
      print_line(summary_json());
    } else if (!arguments_.quiet) {
      fmt::print(stderr, "{} to '{}'\n", progress_.summary(), arguments_.topic);
    }
    if (!sent.ok()) return report(sent.error(), arguments_.client.json);
    if (deliveries_.failed == 0) return kExitOk;
    return report(rd_error(deliveries_.first_failure, fmt::format("{} of {} records were not written; the first",
                                                                  deliveries_.failed, progress_.count())),
                  arguments_.client.json);
  }

 private:
  base::Result<void> send(std::string_view line, std::string_view name, uint64_t number) {
    auto record = split_line(line, separator_, arguments_.null_text);
    if (!record.ok()) {
      return base::Error{record.error().code, fmt::format("{}:{}: {}", name, number, record.error().message), EINVAL};
    }
    while (true) {
      const rd_kafka_resp_err_t code = produce(*record);
      if (code == RD_KAFKA_RESP_ERR_NO_ERROR) break;
      if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) return rd_error(code, fmt::format("{}:{}", name, number));
      rd_kafka_poll(client_.get(), 50);
      progress_.show();
    }
    progress_.add(1, record->value.value_or("").size() + record->key.value_or("").size());
    return {};
  }

  rd_kafka_resp_err_t produce(const LineRecord& record) {
    rd_kafka_headers_t* headers = headers_ ? rd_kafka_headers_copy(headers_.get()) : nullptr;
    std::array<rd_kafka_vu_t, 6> parts{};
    parts[0].vtype = RD_KAFKA_VTYPE_TOPIC;
    parts[0].u.cstr = arguments_.topic.c_str();
    parts[1].vtype = RD_KAFKA_VTYPE_PARTITION;
    parts[1].u.i32 = arguments_.partition;
    parts[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    parts[2].u.i = RD_KAFKA_MSG_F_COPY;
    parts[3].vtype = RD_KAFKA_VTYPE_KEY;
    set_bytes(parts[3], record.key);
    parts[4].vtype = RD_KAFKA_VTYPE_VALUE;
    set_bytes(parts[4], record.value);
    parts[5].vtype = RD_KAFKA_VTYPE_HEADERS;
    parts[5].u.headers = headers;
    rd_kafka_error_t* error =
        rd_kafka_produceva(client_.get(), parts.data(), headers != nullptr ? parts.size() : parts.size() - 1);
    if (error == nullptr) return RD_KAFKA_RESP_ERR_NO_ERROR;
    const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    if (headers != nullptr) rd_kafka_headers_destroy(headers);
    return code;
  }

  static void set_bytes(rd_kafka_vu_t& part, const std::optional<std::string_view>& bytes) {
    part.u.mem.ptr = bytes ? const_cast<char*>(bytes->data()) : nullptr;  // NOLINT: the library copies, and only reads
    part.u.mem.size = bytes ? bytes->size() : 0;
  }

  std::string summary_json() const {
    nlohmann::ordered_json document;
    document["topic"] = arguments_.topic;
    document["records"] = deliveries_.delivered;
    document["failed"] = deliveries_.failed;
    document["bytes"] = progress_.bytes();
    document["seconds"] = progress_.seconds();
    document["partitions"] = nlohmann::ordered_json::object();
    for (const auto& [partition, count] : deliveries_.by_partition) {
      document["partitions"][std::to_string(partition)] = count;
    }
    return document.dump();
  }

  const ProduceArguments& arguments_;
  std::optional<std::string> separator_;
  RdHeaders headers_;
  Progress progress_;
  Deliveries deliveries_;
  RdClient client_;
};

base::Result<RdHeaders> make_headers(const std::vector<std::string>& texts) {
  STELE_TRY_ASSIGN(const std::vector<KeyValue> pairs, split_key_values(texts));
  if (pairs.empty()) return RdHeaders{};
  RdHeaders headers{rd_kafka_headers_new(pairs.size())};
  for (const auto& [name, value] : pairs) {
    rd_kafka_header_add(headers.get(), name.data(), static_cast<ssize_t>(name.size()), value.data(),
                        static_cast<ssize_t>(value.size()));
  }
  return headers;
}

int produce(const ProduceArguments& arguments) {
  auto headers = make_headers(arguments.headers);
  if (!headers.ok()) return report_usage(headers.error().message, arguments.client.json);
  if (arguments.idempotent && arguments.acks != "all" && arguments.acks != "-1") {
    return report_usage("--idempotent needs --acks all", arguments.client.json);
  }
  auto topic = find_topic(arguments.client, arguments.topic, true);
  if (!topic.ok()) return report(topic.error(), arguments.client.json);
  if (arguments.partition >= static_cast<int32_t>(topic->partitions.size())) {
    return report_usage(fmt::format("there is no partition {}: topic '{}' has {}", arguments.partition, arguments.topic,
                                    topic->partitions.size()),
                        arguments.client.json);
  }
  Producer producer{arguments, std::move(headers).value()};
  if (auto opened = producer.open(); !opened.ok()) return report_usage(opened.error().message, arguments.client.json);
  base::Result<void> sent;
  if (arguments.files.empty()) sent = producer.send_lines(stdin, "standard input");
  for (const std::string& path : arguments.files) {
    if (!sent.ok()) break;
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::fopen(path.c_str(), "re"), std::fclose};
    sent = file ? producer.send_lines(file.get(), path)
                : base::Error{base::ErrorCode::kUnknownServerError,
                              fmt::format("cannot read {}: {}", path, std::strerror(errno)), errno};
  }
  return producer.close(sent);
}

}  // namespace

void add_produce_command(CLI::App& program, Chosen& chosen) {
  CLI::App* command = program.add_subcommand("produce", "Write records to a topic, one for each line of the input");
  auto arguments = std::make_shared<ProduceArguments>();
  command->add_option("topic", arguments->topic, "where to; made if the brokers make topics on demand")->required();
  add_client_options(*command, arguments->client);
  command->add_option("-f,--file", arguments->files, "read these instead of standard input; may be repeated")
      ->take_all()
      ->allow_extra_args(false);
  command->add_option("-k,--key-separator", arguments->key_separator, "what ends the key of a line, as in: '\\t'");
  command->add_option("--null", arguments->null_text, "a key or value of exactly this text is null");
  command->add_option("-H,--header", arguments->headers, "name=value for every record; may be repeated")
      ->take_all()
      ->allow_extra_args(false);
  command->add_option("-z,--compression", arguments->compression, "codec of the batches")
      ->check(CLI::IsMember({"none", "gzip", "snappy", "lz4", "zstd"}))
      ->capture_default_str();
  command
      ->add_option("--acks", arguments->acks, "who has a record before it counts as written: nobody, the leader, all")
      ->check(CLI::IsMember({"0", "1", "all", "-1"}))
      ->capture_default_str();
  command->add_option("-p,--partition", arguments->partition, "one partition for all; by key or spread where not given")
      ->check(CLI::Range(0, 1'000'000));
  command->add_flag("--idempotent", arguments->idempotent, "no duplicate and no gap, whatever is retried");
  command->add_flag("-q,--quiet", arguments->quiet, "no progress and no summary");
  command->callback([&chosen, arguments] { chosen = [arguments] { return produce(*arguments); }; });
}

}  // namespace stele::app
