#include "log/file_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace stele::log {

namespace {

constexpr size_t kOffsetDigits = 20;
constexpr size_t kNameMax = 255;

bool all_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  if (!all_digits(text)) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<TopicPartition> parse_topic_partition(std::string_view name) {
  const size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return std::nullopt;
  const std::string_view digits = name.substr(dash + 1);
  const auto partition = parse_number<int32_t>(digits);
  // "t-07" is nobody's directory: beside "t-7" there would be two of one partition.
  if (!partition || (digits.starts_with('0') && digits.size() > 1)) return std::nullopt;
  const std::string_view topic = name.substr(0, dash);
  const bool legal = topic != "." && topic != ".." && std::ranges::all_of(topic, [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                              c == '_' || c == '-';
                     });
  if (!legal) return std::nullopt;
  return TopicPartition{std::string{topic}, base::PartitionIndex{*partition}};
}

std::string_view suffix_of(DirectoryKind kind) {
  switch (kind) {
    case DirectoryKind::kFuture:
      return "-future";
    case DirectoryKind::kDeleted:
      return "-delete";
    case DirectoryKind::kStray:
      return "-stray";
    case DirectoryKind::kCurrent:
      break;
  }
  return "";
}

}  // namespace

std::string offset_file_name(base::Offset base, std::string_view suffix) {
  return fmt::format("{:020}{}", base.value(), suffix);
}

std::optional<base::Offset> parse_offset_file_name(std::string_view name, std::string_view suffix) {
  if (name.size() != kOffsetDigits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  const auto value = parse_number<int64_t>(name.substr(0, kOffsetDigits));
  return value ? std::optional{base::Offset{*value}} : std::nullopt;
}

std::string TopicPartition::to_string() const { return fmt::format("{}-{}", topic, partition.value()); }

std::optional<PartitionDirectoryName> parse_partition_directory(std::string_view name) {
  for (DirectoryKind kind : {DirectoryKind::kFuture, DirectoryKind::kDeleted, DirectoryKind::kStray}) {
    const std::string_view suffix = suffix_of(kind);
    if (!name.ends_with(suffix)) continue;
    const std::string_view rest = name.substr(0, name.size() - suffix.size());
    const size_t dot = rest.rfind('.');
    if (dot == std::string_view::npos || dot + 1 == rest.size()) continue;
    const std::string_view unique = rest.substr(dot + 1);
    if (!std::ranges::all_of(unique, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); })) continue;
    if (auto partition = parse_topic_partition(rest.substr(0, dot))) {
      return PartitionDirectoryName{*std::move(partition), kind};
    }
  }
  if (auto partition = parse_topic_partition(name)) {
    return PartitionDirectoryName{*std::move(partition), DirectoryKind::kCurrent};
  }
  return std::nullopt;
}

std::string partition_directory_name(const TopicPartition& partition, DirectoryKind kind, base::Uuid unique) {
  if (kind == DirectoryKind::kCurrent) return partition.to_string();
  const std::string tail =
      fmt::format("-{}.{:016x}{:016x}{}", partition.partition.value(), unique.high, unique.low, suffix_of(kind));
  return partition.topic.substr(0, std::min(partition.topic.size(), kNameMax - tail.size())) + tail;
}

}  // namespace stele::log
