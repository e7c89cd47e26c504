#include "log/checkpoint.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace stele::log {

namespace {

using base::ErrorCode;

// Blanks around and between fields count as one, as Kafka's \s+ has it.
std::vector<std::string_view> split_fields(std::string_view line) {
  std::vector<std::string_view> fields;
  size_t at = 0;
  while (at < line.size()) {
    const size_t start = line.find_first_not_of(" \t\r", at);
    if (start == std::string_view::npos) break;
    at = std::min(line.find_first_of(" \t\r", start), line.size());
    fields.push_back(line.substr(start, at - start));
  }
  return fields;
}

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Lines of fields behind a checked head.
base::Result<std::vector<std::vector<std::string_view>>> parse_lines(std::string_view text, size_t fields) {
  std::vector<std::vector<std::string_view>> lines;
  if (text.empty()) return lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(split_fields(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  const auto head = [&](size_t i) {
    return i < lines.size() && lines[i].size() == 1 ? number<int64_t>(lines[i][0]) : std::nullopt;
  };
  if (head(0) != 0) return {ErrorCode::kCorruptMessage, "a checkpoint begins with version 0"};
  if (!head(1) || *head(1) != static_cast<int64_t>(lines.size()) - 2) {
    return {ErrorCode::kCorruptMessage, fmt::format("a checkpoint's count does not match its {} lines", lines.size())};
  }
  lines.erase(lines.begin(), lines.begin() + 2);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].size() != fields) {
      return {ErrorCode::kCorruptMessage, fmt::format("line {} has {} fields, not {}", i + 3, lines[i].size(), fields)};
    }
  }
  return lines;
}

}  // namespace

std::string format_offset_checkpoint(const OffsetMap& offsets) {
  std::string out = fmt::format("0\n{}\n", offsets.size());
  for (const auto& [partition, offset] : offsets) {
    fmt::format_to(std::back_inserter(out), "{} {} {}\n", partition.topic, partition.partition.value(), offset.value());
  }
  return out;
}

base::Result<OffsetMap> parse_offset_checkpoint(std::string_view text) {
  STELE_TRY_ASSIGN(const auto lines, parse_lines(text, 3));
  OffsetMap offsets;
  for (const auto& line : lines) {
    const auto partition = number<int32_t>(line[1]);
    const auto offset = number<int64_t>(line[2]);
    if (!partition || !offset) {
      return {ErrorCode::kCorruptMessage, fmt::format("'{} {} {}' is no checkpoint line", line[0], line[1], line[2])};
    }
    offsets[{std::string{line[0]}, base::PartitionIndex{*partition}}] = base::Offset{*offset};
  }
  return offsets;
}

std::string format_epoch_checkpoint(const std::vector<EpochStart>& epochs) {
  std::string out = fmt::format("0\n{}\n", epochs.size());
  for (const EpochStart& entry : epochs) {
    fmt::format_to(std::back_inserter(out), "{} {}\n", entry.epoch.value(), entry.start.value());
  }
  return out;
}

base::Result<std::vector<EpochStart>> parse_epoch_checkpoint(std::string_view text) {
  STELE_TRY_ASSIGN(const auto lines, parse_lines(text, 2));
  std::vector<EpochStart> epochs;
  for (const auto& line : lines) {
    const auto epoch = number<int32_t>(line[0]);
    const auto start = number<int64_t>(line[1]);
    if (!epoch || !start) {
      return {ErrorCode::kCorruptMessage, fmt::format("'{} {}' is no leader epoch line", line[0], line[1])};
    }
    epochs.push_back({base::LeaderEpoch{*epoch}, base::Offset{*start}});
  }
  return epochs;
}

}  // namespace stele::log
