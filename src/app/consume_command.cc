// stele consume: records of a topic, one line for each or as a format says.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <memory>

#include "app/command.h"
#include "app/common_options.h"
#include "app/interrupt.h"
#include "app/progress.h"
#include "app/record_line.h"
#include "app/record_source.h"

namespace stele::app {

namespace {

struct ConsumeArguments {
  ClientOptions client;
  std::string topic;
  std::optional<std::string> group;
  std::vector<int32_t> partitions;
  std::optional<std::string> offset;
  bool from_beginning = false;
  std::optional<uint64_t> max_messages;
  std::string format = "%v\\n";
  bool exit_at_end = false;
  std::optional<double> idle_seconds;
  bool quiet = false;
};

std::optional<int64_t> parse_offset(std::string_view text) {
  if (text == "beginning") return RD_KAFKA_OFFSET_BEGINNING;
  if (text == "end") return RD_KAFKA_OFFSET_END;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number < 0 ? RD_KAFKA_OFFSET_TAIL(-number) : number;
}

std::optional<std::string_view> bytes_of(const void* data, size_t size) {
  if (data == nullptr) return std::nullopt;
  return std::string_view{static_cast<const char*>(data), size};
}

ReadRecord view_of(const rd_kafka_message_t& message, std::string_view topic) {
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const int64_t timestamp = rd_kafka_message_timestamp(&message, &type);
  ReadRecord record{.topic = topic,
                    .partition = message.partition,
                    .offset = message.offset,
                    .timestamp = timestamp,
                    .append_time = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME,
                    .key = bytes_of(message.key, message.key_len),
                    .value = bytes_of(message.payload, message.len),
                    .headers = {}};
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return record;
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    record.headers.emplace_back(name, bytes_of(value, size));
  }
  return record;
}

// Reads until what the arguments ask for is there, or the user has enough.
base::Result<void> read_records(const ConsumeArguments& arguments, RecordSource& source, Interrupt& interrupt,
                                Progress& progress) {
  using Clock = std::chrono::steady_clock;
  const std::string format = unescape(arguments.format);
  Clock::time_point last = Clock::now();
  std::string out;
  int wait_ms = 0;
  while (!arguments.max_messages || progress.count() < *arguments.max_messages) {
    STELE_TRY_ASSIGN(const RdMessage message, source.next(wait_ms));
    if (message) {
      const ReadRecord record = view_of(*message, arguments.topic);
      out.clear();
      if (arguments.client.json) {
        append_json(out, record);
      } else {
        append_formatted(out, format, record);
      }
      if (std::fwrite(out.data(), 1, out.size(), stdout) != out.size()) {
        return base::Error{base::ErrorCode::kUnknownServerError, "cannot write to standard output", EIO};
      }
      source.done_with(*message);
      progress.add(1, message->len + message->key_len);
      last = Clock::now();
    } else {
      if (arguments.exit_at_end && source.at_end()) break;
      if (arguments.idle_seconds && Clock::now() - last > std::chrono::duration<double>{*arguments.idle_seconds}) break;
      if (wait_ms > 0) std::fflush(stdout);
    }
    wait_ms = message ? 0 : 100;
    if (!message || progress.count() % 1024 == 0) {
      if (interrupt.asked()) break;
      progress.show();
    }
  }
  return {};
}

base::Result<std::unique_ptr<RecordSource>> open_source(const ConsumeArguments& arguments, const Topic& topic,
                                                        int64_t offset) {
  if (arguments.group) {
    return RecordSource::of_group(arguments.client, arguments.topic, *arguments.group, arguments.from_beginning);
  }
  std::vector<int32_t> partitions = arguments.partitions;
  if (partitions.empty()) {
    for (const TopicPartition& partition : topic.partitions) partitions.push_back(partition.index);
  }
  return RecordSource::of_partitions(arguments.client, arguments.topic, partitions, offset);
}

// Empty for arguments that go together.
std::string fault_of(const ConsumeArguments& arguments) {
  if (arguments.group && (!arguments.partitions.empty() || arguments.offset)) {
    return "a group decides on partitions and offsets itself: give --group, or --partition and --offset";
  }
  if (arguments.offset && arguments.from_beginning) return "--offset and --from-beginning say two things";
  if (arguments.offset && !parse_offset(*arguments.offset)) {
    return fmt::format("'{}' is no offset: give a number, -N for the last N records, beginning or end",
                       *arguments.offset);
  }
  return format_fault(unescape(arguments.format));
}

int consume(const ConsumeArguments& arguments) {
  if (const std::string fault = fault_of(arguments); !fault.empty()) {
    return report_usage(fault, arguments.client.json);
  }
  auto topic = find_topic(arguments.client, arguments.topic, false);
  if (!topic.ok()) return report(topic.error(), arguments.client.json);
  for (const int32_t partition : arguments.partitions) {
    if (partition < static_cast<int32_t>(topic->partitions.size())) continue;
    return report_usage(fmt::format("there is no partition {}: topic '{}' has {}", partition, arguments.topic,
                                    topic->partitions.size()),
                        arguments.client.json);
  }
  const int64_t offset = arguments.offset           ? *parse_offset(*arguments.offset)
                         : arguments.from_beginning ? RD_KAFKA_OFFSET_BEGINNING
                                                    : RD_KAFKA_OFFSET_END;
  Interrupt interrupt;  // before the library starts its threads
  Progress progress{"records", arguments.quiet || arguments.client.json};
  base::Result<void> read;
  {
    auto source = open_source(arguments, *topic, offset);
    if (!source.ok()) return report(source.error(), arguments.client.json);
    read = read_records(arguments, **source, interrupt, progress);
    // What was shown counts as read, so it must be out before the group hears of it.
    std::fflush(stdout);
  }
  progress.finish();
  if (!arguments.quiet && !arguments.client.json) fmt::print(stderr, "{}\n", progress.summary());
  return read.ok() ? kExitOk : report(read.error(), arguments.client.json);
}

}  // namespace

void add_consume_command(CLI::App& program, Chosen& chosen) {
  CLI::App* command = program.add_subcommand("consume", "Read records of a topic, from now on or from an offset");
  auto arguments = std::make_shared<ConsumeArguments>();
  command->add_option("topic", arguments->topic, "what to read")->required();
  add_client_options(*command, arguments->client);
  command->add_option("-g,--group", arguments->group, "read as a member of this group, which remembers how far it got");
  command->add_option("-p,--partition", arguments->partitions, "only this one; may be repeated")
      ->take_all()
      ->allow_extra_args(false)
      ->check(CLI::Range(0, 1'000'000));
  command->add_option("-o,--offset", arguments->offset, "where to begin: a number, -N for the last N, beginning, end");
  command->add_flag("--from-beginning", arguments->from_beginning,
                    "begin with the oldest record; with --group only where it has no offset yet");
  command->add_option("-n,--max-messages", arguments->max_messages, "end after so many");
  command->add_flag("-e,--exit-at-end", arguments->exit_at_end, "end where there is no more to read for now");
  command->add_option("--idle", arguments->idle_seconds, "end after so many seconds without a record")
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--format", arguments->format,
                   "what to print: %v value, %k key, %h headers, %t topic, %p partition, %o offset, %T timestamp")
      ->capture_default_str();
  command->add_flag("-q,--quiet", arguments->quiet, "no progress and no summary");
  command->callback([&chosen, arguments] { chosen = [arguments] { return consume(*arguments); }; });
}

}  // namespace stele::app
