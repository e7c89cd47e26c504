#include "metadata/quorum_state.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace stele::metadata {
namespace {

using base::ErrorCode;

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The number behind `"key":`, wherever the key stands in the flat object that quorum-state is.
std::optional<int64_t> field(std::string_view json, std::string_view key, size_t from = 0) {
  const std::string quoted = fmt::format("\"{}\"", key);
  size_t at = json.find(quoted, from);
  if (at == std::string_view::npos) return std::nullopt;
  at = json.find_first_not_of(" :\t\r\n", at + quoted.size());
  if (at == std::string_view::npos) return std::nullopt;
  const size_t end = json.find_first_not_of("-0123456789", at);
  return number<int64_t>(json.substr(at, end == std::string_view::npos ? end : end - at));
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    out.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out;
}

}  // namespace

std::string write_quorum_state(const QuorumState& state) {
  if (state.data_version == 0) {
    std::string voters;
    for (const base::BrokerId voter : state.voters) {
      voters += fmt::format("{}{{\"voterId\":{}}}", voters.empty() ? "" : ",", voter.value());
    }
    return fmt::format(
        "{{\"clusterId\":\"\",\"leaderId\":{},\"leaderEpoch\":{},\"votedId\":-1,\"appliedOffset\":0,"
        "\"currentVoters\":[{}],\"data_version\":0}}",
        state.leader.value(), state.epoch.value(), voters);
  }
  return fmt::format(
      "{{\"leaderId\":{},\"leaderEpoch\":{},\"votedId\":-1,\"votedDirectoryId\":\"AAAAAAAAAAAAAAAAAAAAAA\","
      "\"data_version\":1}}",
      state.leader.value(), state.epoch.value());
}

base::Result<QuorumState> read_quorum_state(std::string_view text) {
  const auto epoch = field(text, "leaderEpoch");
  const auto version = field(text, "data_version");
  if (!epoch || !version) return {ErrorCode::kInvalidRecord, "quorum-state has no leaderEpoch or no data_version"};
  if (*version < 0 || *version > 1) {
    return {ErrorCode::kInvalidRecord, fmt::format("quorum-state has data_version {}, not 0 or 1", *version)};
  }
  if (*epoch < 0 || *epoch > INT32_MAX) return {ErrorCode::kInvalidRecord, "quorum-state has a bad leaderEpoch"};
  QuorumState state;
  state.data_version = static_cast<int>(*version);
  state.epoch = base::LeaderEpoch{static_cast<int32_t>(*epoch)};
  state.leader = base::BrokerId{static_cast<int32_t>(field(text, "leaderId").value_or(-1))};
  for (size_t at = text.find("\"voterId\""); at != std::string_view::npos; at = text.find("\"voterId\"", at + 1)) {
    if (const auto id = field(text, "voterId", at)) state.voters.emplace_back(static_cast<int32_t>(*id));
  }
  return state;
}

std::string write_epochs(const std::vector<EpochStart>& epochs) {
  std::string out = fmt::format("0\n{}\n", epochs.size());
  for (const EpochStart& entry : epochs) out += fmt::format("{} {}\n", entry.epoch.value(), entry.start.value());
  return out;
}

base::Result<std::vector<EpochStart>> read_epochs(std::string_view text) {
  const auto bad = [] { return base::Error{ErrorCode::kInvalidRecord, "leader-epoch-checkpoint is damaged"}; };
  const auto lines = lines_of(text);
  if (lines.size() < 2 || lines[0] != "0") return bad();
  const auto count = number<size_t>(lines[1]);
  if (!count || *count != lines.size() - 2) return bad();
  std::vector<EpochStart> out;
  for (size_t i = 2; i < lines.size(); ++i) {
    const size_t space = lines[i].find(' ');
    if (space == std::string_view::npos) return bad();
    const auto epoch = number<int32_t>(lines[i].substr(0, space));
    const auto start = number<int64_t>(lines[i].substr(space + 1));
    if (!epoch || !start) return bad();
    out.push_back({base::LeaderEpoch{*epoch}, base::Offset{*start}});
  }
  return out;
}

std::string snapshot_name(base::Offset end, base::LeaderEpoch epoch) {
  return fmt::format("{:020}-{:010}.checkpoint", end.value(), epoch.value());
}

std::optional<std::pair<base::Offset, base::LeaderEpoch>> parse_snapshot_name(std::string_view name) {
  constexpr size_t kSize = 20 + 1 + 10;
  if (name.size() <= kSize || name[20] != '-' || name.substr(kSize) != ".checkpoint") return std::nullopt;
  const auto end = number<int64_t>(name.substr(0, 20));
  const auto epoch = number<int32_t>(name.substr(21, 10));
  if (!end || !epoch) return std::nullopt;
  return std::pair{base::Offset{*end}, base::LeaderEpoch{*epoch}};
}

std::string segment_name(base::Offset base, std::string_view suffix) {
  return fmt::format("{:020}{}", base.value(), suffix);
}

std::optional<base::Offset> parse_segment_name(std::string_view name) {
  if (name.size() != 24 || name.substr(20) != ".log") return std::nullopt;
  const auto base = number<int64_t>(name.substr(0, 20));
  if (!base) return std::nullopt;
  return base::Offset{*base};
}

}  // namespace stele::metadata
