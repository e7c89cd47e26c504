#include "app/record_decoder.h"

#include <fmt/format.h>

#include <cctype>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "log/file_names.h"
#include "log/log_dir.h"
#include "metadata/quorum_state.h"
#include "metadata/record.h"
#include "record/control.h"
#include "wire/codec.h"
#include "wire/group_metadata_key.h"
#include "wire/group_metadata_value.h"
#include "wire/record_json.h"

namespace stele::app {

namespace {

using Json = nlohmann::ordered_json;
using wire::RecordKind;

constexpr std::string_view kDeleted = "<DELETE>";

// Takes a big-endian int16 from the front.
std::optional<int16_t> take_int16(base::Bytes& bytes) {
  if (bytes.size() < 2) return std::nullopt;
  const auto high = static_cast<uint16_t>(bytes[0]), low = static_cast<uint16_t>(bytes[1]);
  bytes = bytes.subspan(2);
  return static_cast<int16_t>(high << 8 | low);
}

// "TOPIC_RECORD" for "TopicRecord".
std::string enum_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const auto letter = static_cast<unsigned char>(c);
    if (std::isupper(letter) && !out.empty()) out += '_';
    out += static_cast<char>(std::toupper(letter));
  }
  return out;
}

bool decode_metadata(const record::RecordView& record, log::DumpLine& line) {
  if (!record.value) return false;
  const auto head = metadata::read_record_head(*record.value);
  if (!head.ok()) return false;
  const auto data = wire::record_to_json(RecordKind::kMetadata, head->type, head->version, head->message);
  if (!data.ok()) return false;
  const std::string name = enum_name(wire::record_name(RecordKind::kMetadata, head->type));
  line.fields.push_back(
      log::dump_json("payload", fmt::format(R"({{"type":"{}","version":{},"data":{}}})", name, head->version, *data)));
  return true;
}

// The bytes that a member gave the group, where the protocol is that of consumers; nothing where they are none.
std::optional<Json> consumer_data(int16_t what, base::Bytes bytes) {
  const auto version = take_int16(bytes);
  if (!version) return std::nullopt;
  const auto text = wire::record_to_json(RecordKind::kConsumer, what, *version, bytes);
  if (!text.ok()) return std::nullopt;
  return Json::parse(*text, nullptr, false);
}

// The value of a classic group, with the members' subscriptions and assignments spelled out.
std::string with_members(std::string data, int16_t version, base::Bytes bytes) {
  const auto group = wire::from_bytes<wire::GroupMetadataValue>(bytes, version);
  if (!group.ok() || group->protocol_type != "consumer") return data;
  Json document = Json::parse(data, nullptr, false);
  for (size_t i = 0; document.is_object() && i < group->members.size(); ++i) {
    Json& member = document["members"][i];
    if (auto told = consumer_data(0, group->members[i].subscription)) member["subscription"] = *std::move(told);
    if (auto told = consumer_data(1, group->members[i].assignment)) member["assignment"] = *std::move(told);
  }
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool decode_coordinator(RecordKind keys, RecordKind values, const record::RecordView& record, log::DumpLine& line) {
  if (!record.key) return false;
  base::Bytes rest = *record.key;
  const auto type = take_int16(rest);
  if (!type) return false;
  const auto key = wire::record_to_json(keys, *type, 0, rest);
  if (!key.ok()) return false;
  std::string payload;
  if (record.value) {
    base::Bytes bytes = *record.value;
    const auto version = take_int16(bytes);
    if (!version) return false;
    const auto value = wire::record_to_json(values, *type, *version, bytes);
    if (!value.ok()) return false;
    const bool group = values == RecordKind::kGroupValue && *type == wire::GroupMetadataKey::kRecordType;
    payload = fmt::format(R"({{"version":"{}","data":{}}})", *version,
                          group ? with_members(*value, *version, bytes) : *value);
  }
  line.fields.push_back(log::dump_json("key", fmt::format(R"({{"type":"{}","data":{}}})", *type, *key)));
  line.fields.push_back(record.value ? log::dump_json("payload", std::move(payload))
                                     : log::dump_text("payload", std::string{kDeleted}));
  return true;
}

bool decode_control(const record::RecordView& record, log::DumpLine& line) {
  const auto type = record::control_type(record);
  if (!type.ok() || !*type || !record.value) return false;
  // The version stands in the message, and in the bytes in front of it.
  base::Bytes front = *record.value;
  const auto version = take_int16(front);
  const auto number = static_cast<int16_t>(**type);
  const auto text = wire::record_to_json(RecordKind::kControl, number, version.value_or(0), *record.value);
  if (!version || !text.ok()) return false;
  std::string name{wire::record_name(RecordKind::kControl, number)};
  for (const std::string_view end : {"Message", "Record"}) {
    if (name.ends_with(end)) name.resize(name.size() - end.size());
  }
  if (**type == record::ControlType::kKRaftVoters) name = "KRaftVoters";
  line.fields.push_back(log::dump_json(std::move(name), *text));
  return true;
}

}  // namespace

Decoder decoder_for(std::string_view directory, std::string_view file) {
  if (file.ends_with(".checkpoint")) return Decoder::kMetadata;
  const auto partition = log::parse_partition_directory(directory);
  if (!partition) return Decoder::kNone;
  const std::string& topic = partition->partition.topic;
  if (topic == log::kMetadataTopic) return Decoder::kMetadata;
  if (topic == "__consumer_offsets") return Decoder::kOffsets;
  if (topic == "__transaction_state") return Decoder::kTransactions;
  if (topic == "__share_group_state") return Decoder::kShareGroups;
  return Decoder::kNone;
}

bool decode_record(Decoder decoder, const record::BatchView& batch, const record::RecordView& record,
                   log::DumpLine& line) {
  if (batch.is_control()) return decode_control(record, line);
  switch (decoder) {
    case Decoder::kNone:
      return false;
    case Decoder::kMetadata:
      return decode_metadata(record, line);
    case Decoder::kOffsets:
      return decode_coordinator(RecordKind::kGroupKey, RecordKind::kGroupValue, record, line);
    case Decoder::kTransactions:
      return decode_coordinator(RecordKind::kTransactionKey, RecordKind::kTransactionValue, record, line);
    case Decoder::kShareGroups:
      return decode_coordinator(RecordKind::kShareKey, RecordKind::kShareValue, record, line);
  }
  return false;
}

base::Result<std::optional<log::DumpLine>> decode_quorum_file(std::string_view name, base::Bytes content) {
  if (name != log::kQuorumStateName) return std::optional<log::DumpLine>{};
  const auto state = metadata::read_quorum_state(base::as_text(content));
  if (!state.ok()) return state.error();
  std::string voters;
  for (const base::BrokerId voter : state->voters)
    voters += fmt::format("{}{}", voters.empty() ? "" : ",", voter.value());
  return std::optional{log::DumpLine{"quorum-state",
                                     {log::dump_json("leaderId", std::to_string(state->leader.value())),
                                      log::dump_json("leaderEpoch", std::to_string(state->epoch.value())),
                                      log::dump_json("currentVoters", "[" + voters + "]"),
                                      log::dump_json("dataVersion", std::to_string(state->data_version))}}};
}

}  // namespace stele::app
