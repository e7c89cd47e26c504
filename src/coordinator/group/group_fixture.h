// A small language for tests of the group coordinator: one partition, a log in memory, literal times.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/group/group_coordinator.h"
#include "coordinator/group/record_codec.h"
#include "coordinator/runtime/coordinator_runtime.h"

namespace stele::coordinator {

class MemoryLog final : public CoordinatorLog {
 public:
  base::Result<base::Offset> append(base::LeaderEpoch, base::Timestamp, std::span<const LogRecord> records) override {
    if (error != base::ErrorCode::kNone) return {error, "as the test wants it"};
    const base::Offset at{static_cast<int64_t>(entries.size())};
    entries.insert(entries.end(), records.begin(), records.end());
    ++batches;
    return at;
  }
  base::Offset end() const { return base::Offset{static_cast<int64_t>(entries.size())}; }

  std::vector<LogRecord> entries;
  int batches = 0;
  base::ErrorCode error = base::ErrorCode::kNone;
};

class SilentLog final : public base::LogSink {
 public:
  bool enabled(base::LogLevel) const override { return false; }
  void write(base::LogLevel, std::string_view) override {}
};

class GroupTest : public testing::Test {
 protected:
  using Runtime = CoordinatorRuntime<GroupCoordinator>;

  void start() {
    runtime = std::make_unique<Runtime>(log, std::chrono::milliseconds(5'000));
    GroupCoordinator& machine =
        runtime->start_loading(base::LeaderEpoch{0}, std::make_unique<GroupCoordinator>(options, random, complaints));
    for (size_t i = 0; i < log.entries.size(); ++i) {
      const LogRecord& entry = log.entries[i];
      auto decoded =
          decode_group_record(entry.key, entry.value ? std::optional<base::Bytes>(*entry.value) : std::nullopt);
      ASSERT_TRUE(decoded.ok());
      machine.replay(base::Offset{static_cast<int64_t>(i)}, std::get<GroupLogRecord>(*decoded));
    }
    keep(runtime->finish_loading(log.end(), now()));
  }
  // The broker dies and starts again on what is committed.
  void restart() {
    replies.clear();
    start();
  }

  Now now() const { return {base::MonoTime{std::chrono::milliseconds(ms)}, base::Timestamp{1'000'000 + ms}}; }
  // Time goes by, with every deadline acted on as it comes.
  void pass(int64_t duration_ms) {
    const int64_t until = ms + duration_ms;
    while (auto next = runtime->next_deadline()) {
      const int64_t at = std::chrono::ceil<std::chrono::milliseconds>(next->time_since_epoch()).count();
      if (at > until) break;
      ms = std::max(ms, at);
      keep(runtime->tick(now()));
      commit_all();
    }
    ms = until;
  }

  RequestId send(decltype(GroupCommand::body) body) {
    const RequestId request = ++last_request;
    keep(runtime->submit(GroupCommand{request, std::move(body)}, now()));
    commit_all();
    return request;
  }
  void commit_all() {
    if (auto_commit) keep(runtime->committed(log.end()));
  }
  void keep(std::vector<GroupReply> ready) {
    for (GroupReply& reply : ready) {
      EXPECT_FALSE(replies.contains(reply.request)) << "answered twice";
      replies.emplace(reply.request, std::move(reply.body));
    }
  }
  bool answered(RequestId request) const { return replies.contains(request); }
  template <class T>
  const T& reply(RequestId request) const {
    static const T kNothing{};
    auto found = replies.find(request);
    if (found == replies.end()) {
      ADD_FAILURE() << "request " << request << " is not answered";
      return kNothing;
    }
    return std::get<T>(found->second);
  }
  const JoinGroupReply& joined(RequestId request) const { return reply<JoinGroupReply>(request); }
  const SyncGroupReply& synced(RequestId request) const { return reply<SyncGroupReply>(request); }

  static base::ByteVector bytes(std::string_view text) {
    const auto view = base::as_bytes(text);
    return {view.begin(), view.end()};
  }
  static std::string text(const base::ByteVector& of) { return std::string(base::as_text(of)); }

  static JoinGroup join_of(const std::string& member_id, std::vector<std::string> protocols = {"range"}) {
    JoinGroup join;
    join.group_id = "g";
    join.member_id = member_id;
    join.protocol_type = "consumer";
    for (auto& name : protocols) join.protocols.push_back({name, bytes("m-" + name)});
    join.session_timeout_ms = 10'000;
    join.rebalance_timeout_ms = 60'000;
    join.client_id = "client";
    join.client_host = "/127.0.0.1";
    return join;
  }
  // A join of version 4: asks for an id, then joins with it; gives the id and the waiting request.
  std::pair<std::string, RequestId> arrive(std::vector<std::string> protocols = {"range"}) {
    const RequestId first = send(join_of("", protocols));
    EXPECT_EQ(joined(first).error, base::ErrorCode::kMemberIdRequired);
    const std::string id = joined(first).member_id;
    return {id, send(join_of(id, protocols))};
  }
  static SyncGroup sync_of(const std::string& member_id, int32_t generation,
                           std::vector<std::pair<std::string, std::string>> given = {}) {
    SyncGroup sync;
    sync.group_id = "g";
    sync.member_id = member_id;
    sync.generation = generation;
    for (auto& [id, what] : given) sync.assignments.push_back({id, bytes(what)});
    return sync;
  }
  base::ErrorCode beat(const std::string& member_id, int32_t generation) {
    return reply<HeartbeatReply>(send(Heartbeat{"g", generation, member_id, std::nullopt})).error;
  }
  // One member in generation 1, assigned "a1".
  std::string stable_member() {
    auto [id, request] = arrive();
    pass(options.initial_rebalance_delay_ms);
    EXPECT_EQ(joined(request).generation, 1);
    EXPECT_EQ(text(synced(send(sync_of(id, 1, {{id, "a1"}}))).assignment), "a1");
    return id;
  }
  // The codes of a leave, the group's first.
  std::vector<base::ErrorCode> leave(std::vector<LeavingMember> members) {
    const auto& answer = reply<LeaveGroupReply>(send(LeaveGroup{"g", std::move(members)}));
    std::vector<base::ErrorCode> codes{answer.error};
    for (const auto& member : answer.members) codes.push_back(member.error);
    return codes;
  }

  static OffsetCommit commit_of(int64_t offset, const std::string& member_id = "", int32_t generation = -1) {
    OffsetCommit commit;
    commit.group_id = "g";
    commit.member_id = member_id;
    commit.generation = generation;
    commit.api_version = 8;
    commit.topics.push_back({"t", {}, {{0, offset, 3, "note"}}});
    return commit;
  }
  base::ErrorCode commit(OffsetCommit what) {
    return reply<OffsetCommitReply>(send(std::move(what))).topics.at(0).partitions.at(0).error;
  }
  int64_t fetch(const std::string& topic = "t", int32_t partition = 0) {
    OffsetFetch fetch;
    fetch.group_id = "g";
    fetch.topics.emplace().push_back({topic, {}, {partition}});
    const auto& answer = reply<OffsetFetchReply>(send(fetch));
    EXPECT_EQ(answer.error, base::ErrorCode::kNone);
    return answer.topics.at(0).partitions.at(0).offset;
  }
  GroupLogRecord record(size_t at) const {
    const LogRecord& entry = log.entries.at(at);
    auto decoded =
        decode_group_record(entry.key, entry.value ? std::optional<base::Bytes>(*entry.value) : std::nullopt);
    return std::get<GroupLogRecord>(*decoded);
  }
  std::string state() const {
    const ClassicGroup* group = runtime->machine()->group("g");
    return group ? std::string(state_name(group->state())) : "none";
  }

  GroupOptions options;
  MemoryLog log;
  SilentLog silent;
  class Stopped final : public base::Clock {
   public:
    base::MonoTime now() const override { return {}; }
    base::MonoTime read() const override { return {}; }
    base::Timestamp wall() const override { return base::Timestamp{0}; }
  } stopped;
  base::Complaints complaints{silent, stopped};
  base::SeededRandom random{7};
  std::unique_ptr<Runtime> runtime;
  std::map<RequestId, GroupReplyBody> replies;
  RequestId last_request = 0;
  int64_t ms = 0;
  bool auto_commit = true;
};

}  // namespace stele::coordinator
