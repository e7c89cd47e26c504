#include "fuzz/seeds.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "fuzz/target.h"
#include "log/file_names.h"
#include "metadata/format.h"
#include "metadata/snapshot.h"
#include "record/builder.h"
#include "record/compressor.h"
#include "record/decompressor.h"
#include "record/reader.h"
#include "sim/client.h"
#include "wire/api.h"
#include "wire/catalog_test.h"
#include "wire/offset_commit_key.h"
#include "wire/offset_commit_value.h"

namespace stele::fuzz {
namespace {

namespace fs = std::filesystem;
const fs::path kSource = STELE_SOURCE_DIR;

base::ByteVector content_of(const fs::path& path) {
  std::ifstream in{path, std::ios::binary};
  const std::string text{std::istreambuf_iterator<char>{in}, {}};
  const base::Bytes bytes = base::as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

struct Bytes {
  base::ByteVector bytes;
  Bytes& byte(int value) {
    bytes.push_back(static_cast<std::byte>(value));
    return *this;
  }
  Bytes& number(size_t value) {
    base::append_be(bytes, static_cast<uint16_t>(value));
    return *this;
  }
  Bytes& raw(base::Bytes more) {
    base::append(bytes, more);
    return *this;
  }
  Bytes& piece(base::Bytes more) { return number(more.size()).raw(more); }
};

// A request's header with this body behind it.
base::ByteVector frame_of(const wire::ApiInfo& api, int16_t version, base::Bytes body) {
  const wire::RequestHeader header{
      .request_api_key = api.key, .request_api_version = version, .correlation_id = 7, .client_id = "seed"};
  base::ByteVector frame = wire::to_bytes(header, api.request_header_version(version)).value();
  base::append(frame, body);
  return frame;
}

void add_messages(Seeds& seeds) {
  std::ifstream in{kSource / "src/wire/golden_test.txt"};
  for (std::string line; std::getline(in, line);) {
    std::istringstream words{line};
    std::string name;
    std::string hex;
    int version = 0;
    words >> name >> version >> hex;
    const base::ByteVector body = base::from_hex(hex);
    const auto catalog = wire::catalog();
    for (size_t i = 0; i < catalog.size(); ++i) {
      if (catalog[i]->name != name) continue;
      seeds.add("wire_message", Bytes{}.number(i).byte(version - catalog[i]->min_version).raw(body).bytes);
    }
    for (const wire::ApiInfo& api : wire::all_apis()) {
      if (name != std::string{api.name} + "Request" || !api.has_version(static_cast<int16_t>(version))) continue;
      const base::ByteVector frame = frame_of(api, static_cast<int16_t>(version), body);
      seeds.add("request_frame", frame);
      if (frame.size() < 0x1000) seeds.add("connection", Bytes{}.byte(api.key).piece(frame).bytes);
    }
  }
}

void add_conversation(Seeds& seeds) {
  const sim::Batch batch{.values = {"one", "two"}};
  const base::ByteVector produce = sim::Client::produce_frame(1, "t", 0, -1, batch);
  Bytes all;
  all.byte(3);
  for (int i = 0; i < 3; ++i) all.number(0x8000 | produce.size()).raw(produce);
  seeds.add("connection", all.bytes);
  Bytes cut;
  cut.byte(4).number(0x8000 | 0x2000 | 9).raw(base::Bytes{produce}.first(9));
  cut.number(0x8000 | (produce.size() - 9)).raw(base::Bytes{produce}.subspan(9));
  seeds.add("connection", cut.bytes);
}

void add_batches(Seeds& seeds) {
  std::ifstream in{kSource / "src/record/testdata/batches.txt"};
  int choice = 0;
  for (std::string line; std::getline(in, line);) {
    const size_t first = line.find('\t');
    const base::ByteVector bytes = base::from_hex(line.substr(first + 1, line.find('\t', first + 1) - first - 1));
    if (bytes.size() > 2000) continue;
    seeds.add("record_batches", bytes);
    seeds.add("append_batch", Bytes{}.byte(choice += 13).byte(1).raw(bytes).bytes);
    seeds.add("append_batch", Bytes{}.byte(choice += 13).byte(0).raw(bytes).bytes);
    const auto batch = record::BatchView::open(bytes);
    if (batch.ok() && batch->is_whole() && batch->is_compressed() && !batch->is_legacy()) {
      seeds.add("decompress", Bytes{}.byte(static_cast<int>(batch->codec())).byte(2).raw(batch->payload()).bytes);
    }
  }
  const std::string zeros(20'000, '\0');
  for (int codec = 1; codec <= 4; ++codec) {
    base::ByteVector out;
    record::compress(static_cast<record::Codec>(codec), record::kDefaultLevel, base::as_bytes(zeros), out);
    seeds.add("decompress", Bytes{}.byte(codec).byte(2).raw(out).bytes);
  }
}

// Kinds as small_file() and partition_directory() number them.
int kind_in_partition(const std::string& name) {
  const std::string suffix = fs::path{name}.extension();
  const std::string_view kinds[] = {".log", ".index", ".timeindex", ".txnindex", ".snapshot"};
  for (int i = 0; i < 5; ++i) {
    if (suffix == kinds[i]) return i;
  }
  if (name == log::kEpochCheckpointName) return 12;
  return name == log::kPartitionMetadataName ? 13 : 15;
}

void add_small_file(Seeds& seeds, const std::string& name, base::Bytes content) {
  const std::pair<std::string_view, int> kinds[] = {
      {".index", 0},          {".timeindex", 1},        {".txnindex", 2},
      {".snapshot", 3},       {"offset-checkpoint", 4}, {"leader-epoch-checkpoint", 5},
      {"meta.properties", 6}, {"partition.metadata", 7}};
  for (const auto& [end, kind] : kinds) {
    if (name.ends_with(end) && content.size() < 4000) seeds.add("small_file", Bytes{}.byte(kind).raw(content).bytes);
  }
}

void add_partitions(Seeds& seeds) {
  for (const auto& entry : fs::recursive_directory_iterator{kSource / "src/log/testdata"}) {
    if (!entry.is_directory()) {
      add_small_file(seeds, entry.path().filename(), content_of(entry.path()));
      continue;
    }
    const bool clean = entry.path().parent_path().filename() == "clean";
    if (!clean && entry.path().parent_path().filename() != "killed") continue;
    Bytes all;
    all.byte(clean ? 1 : 0).byte(0).byte(0);
    for (const auto& file : fs::directory_iterator{entry.path()}) {
      const std::string name = file.path().filename();
      const auto base = log::parse_offset_file_name(name, fs::path{name}.extension().string());
      const int kind = kind_in_partition(name);
      all.byte(kind);
      if (kind < 12) all.byte(static_cast<int>(base ? base->value() : 0));
      base::ByteVector content = content_of(file.path());
      content.resize(std::min<size_t>(content.size(), 3000));
      all.byte(1).piece(content);
    }
    seeds.add("partition_directory", all.bytes);
  }
  seeds.add("small_file", Bytes{}.byte(8).raw(base::as_bytes(R"({"version":0,"brokerEpoch":7})")).bytes);
  seeds.add(
      "small_file",
      Bytes{}
          .byte(9)
          .raw(base::as_bytes(
              R"({"clusterId":"","leaderId":1,"leaderEpoch":1,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0})"))
          .bytes);
  seeds.add("small_file", Bytes{}.byte(10).raw(base::as_bytes("0\n2\n1 0\n3 17\n")).bytes);
  for (const char* name : {"t-0", "t-1.0123456789abcdef0123456789abcdef-delete", "00000000000000000012.log",
                           "00000000000000000012-0000000003.checkpoint"}) {
    seeds.add("small_file", Bytes{}.byte(11).raw(base::as_bytes(name)).bytes);
  }
}

base::ByteVector batch_at(int offset, int records) {
  record::BatchBuilder builder{{.base_offset = base::Offset{offset}, .leader_epoch = base::LeaderEpoch{0}}};
  for (int i = 0; i < records; ++i) {
    builder.add({.timestamp = base::Timestamp{1'700'000'000'000}, .value = base::as_bytes("value")});
  }
  return std::move(builder).build();
}

// As journal() in journal_target.cc numbers its choices.
void add_journals(Seeds& seeds) {
  const auto entry = [](Bytes& to, int kind, int directory, int first, int records) {
    to.byte(kind).byte(0).byte(directory).byte(first).byte(first + records).byte(0);
    to.piece(records > 0 ? batch_at(first, records) : base::ByteVector{});
  };
  Bytes two_groups;
  two_groups.byte(0).byte(0).byte(1).byte(0).byte(2);
  entry(two_groups, 1, 0, 0, 3);
  entry(two_groups, 1, 1, 0, 1);
  two_groups.byte(0).byte(1).byte(2).byte(1).byte(1);
  entry(two_groups, 1, 0, 3, 2);
  seeds.add("journal", two_groups.bytes);
  Bytes behind_segment = two_groups;
  behind_segment.byte(3).byte(0).piece(batch_at(0, 3));
  seeds.add("journal", behind_segment.bytes);
  Bytes forgotten = two_groups;
  forgotten.byte(0).byte(1).byte(3).byte(1).byte(2);
  entry(forgotten, 2, 0, 0, 0);
  entry(forgotten, 3, 0, 1, 1);
  seeds.add("journal", forgotten.bytes);
  Bytes damaged = two_groups;
  damaged.byte(2).byte(0).number(4200).byte(1);
  seeds.add("journal", damaged.bytes);
}

void add_metadata(Seeds& seeds) {
  const fs::path data = kSource / "src/metadata/testdata";
  base::ByteVector log = content_of(data / "kafka_restarts.log");
  const base::ByteVector snapshot = content_of(data / "bootstrap.checkpoint");
  seeds.add("metadata_log", Bytes{}.byte(0).byte(0).byte(0).byte(1).piece(log).bytes);
  seeds.add("metadata_log", Bytes{}.byte(1).byte(0).byte(0).byte(1).piece(snapshot).bytes);
  seeds.add("metadata_log",
            Bytes{}.byte(1).byte(0).byte(0).byte(1).piece(content_of(data / "standalone.checkpoint")).bytes);
  Bytes records;
  record::BatchReader batches{log};
  while (const auto batch = batches.next().value()) {
    if (batch->is_control()) continue;
    record::Decompressor decompressor;
    record::RecordReader reader{*batch, decompressor};
    while (const auto record = reader.next().value()) {
      records.piece(*record->value);
      if (records.bytes.size() > 1500) seeds.add("metadata_records", std::exchange(records, {}).bytes);
    }
  }
  seeds.add("metadata_records", records.bytes);
}

void add_groups(Seeds& seeds) {
  Bytes all;
  all.byte(0);
  std::ifstream in{kSource / "src/wire/golden_test.txt"};
  base::ByteVector key;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words{line};
    std::string name;
    std::string hex;
    int version = 0;
    words >> name >> version >> hex;
    Bytes one;
    one.number(static_cast<size_t>(version)).raw(base::from_hex(hex));
    if (name == "OffsetCommitKey" || name == "GroupMetadataKey") key = one.bytes;
    if ((name == "OffsetCommitValue" || name == "GroupMetadataValue") && !key.empty()) {
      seeds.add("group_records", Bytes{}.byte(0).piece(key).piece(one.bytes).bytes);
    }
  }
}

void add_texts(Seeds& seeds) {
  for (const char* name : {"tests/peers/config_oracle/broker.properties", "src/log/testdata/clean/meta.properties"}) {
    seeds.add("broker_config", content_of(kSource / name));
  }
  for (const char* text :
       {"listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ncontroller.listener.names=CONTROLLER\n"
        "process.roles=broker,controller\ncontroller.quorum.voters=1@localhost:9093\nnode.id=1\n",
        "retention.ms=1000\ncleanup.policy=compact,delete\nsegment.bytes=1048576\ncompression.type=zstd\n",
        "log.retention.ms=-1\nmax.connections.per.ip.overrides=h:1\nstele.allow.insecure=true\n",
        "leader.replication.throttled.replicas=0:1,1:2\nmessage.timestamp.type=LogAppendTime\n"}) {
    seeds.add("broker_config", base::as_bytes(text));
  }
  base::SeededRandom random{11};
  for (int i = 0; i < 20; ++i) {
    base::ByteVector bytes(200);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.below(256));
    seeds.add("fetch_sessions", bytes);
  }
}

// The first byte is the size of the pieces.
void add_http(Seeds& seeds) {
  for (const char* text :
       {"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
        "GET /live HTTP/1.1\r\n\r\nHEAD /ready HTTP/1.0\r\n\r\nGET /stats HTTP/1.1\r\nConnection: close\r\n\r\n",
        "POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n",
        "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: t\r\n\r\n",
        "POST /x HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        "GET / HTTP/1.1\r\nA:\r\n b\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\r\n\r\n"}) {
    for (const int piece : {0, 7}) seeds.add("http_requests", Bytes{}.byte(piece).raw(base::as_bytes(text)).bytes);
  }
  const std::string long_header = "GET / HTTP/1.1\r\nA: " + std::string(9000, 'a') + "\r\n\r\n";
  seeds.add("http_requests", Bytes{}.byte(100).raw(base::as_bytes(long_header)).bytes);
}

}  // namespace

Seeds first_inputs() {
  Seeds seeds;
  add_messages(seeds);
  add_conversation(seeds);
  add_batches(seeds);
  add_partitions(seeds);
  add_journals(seeds);
  add_metadata(seeds);
  add_groups(seeds);
  add_texts(seeds);
  add_http(seeds);
  return seeds;
}

Seeds stored_inputs() {
  Seeds seeds;
  for (const Target& target : targets()) {
    std::ifstream in{kSource / "tests/fuzz/corpus" / (std::string{target.name} + ".txt")};
    for (std::string line; std::getline(in, line);) {
      const size_t blank = line.find(' ');
      if (line.starts_with('#') || blank == std::string::npos) continue;
      seeds.add(target.name, line.substr(0, blank), base::from_hex(line.substr(blank)));
    }
  }
  return seeds;
}

}  // namespace stele::fuzz
