// Hosts a coordinator's state machine on one partition of an internal topic. Sans I/O: commands, time and news of the
// log go in, replies that may be sent come out.
//
// A command gives {records, replies}. The records are appended as one batch and replayed at once, so that commands
// pipeline; every reply waits until the offsets it depends on are committed: those of its own records, or the last one
// that touched what it read. When the log fails, is fenced, or its outcome is unknown, the whole state is dropped, what
// waits is answered with an error, and the partition is to be loaded again; there is no undo.
//
// Machine gives: types Command, Reply{after, ...}, Outcome{records, replies, atomic}, Record;
//   Outcome handle(Command, Now); Outcome expire(Now); optional<MonoTime> next_deadline();
//   void replay(Offset, const Record&); Outcome loaded(Now); static Result<LogRecord> encode(const Record&);
//   Outcome refused(const Outcome&, ErrorCode, Now); vector<Reply> drop(ErrorCode);
//   static vector<Reply> refuse(Command, ErrorCode); static void fail(Reply&, ErrorCode).
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/error_code.h"
#include "coordinator/runtime/coordinator_log.h"

namespace stele::coordinator {

// How a client sees a failure of the log under its coordinator (GroupCoordinatorService.handleOperationException).
constexpr base::ErrorCode client_error(base::ErrorCode log_error) {
  switch (log_error) {
    case base::ErrorCode::kUnknownTopicOrPartition:
    case base::ErrorCode::kNotEnoughReplicas:
    case base::ErrorCode::kNotEnoughReplicasAfterAppend:
    case base::ErrorCode::kRequestTimedOut:
      return base::ErrorCode::kCoordinatorNotAvailable;
    case base::ErrorCode::kNotLeaderOrFollower:
    case base::ErrorCode::kFencedLeaderEpoch:
    case base::ErrorCode::kKafkaStorageError:
      return base::ErrorCode::kNotCoordinator;
    case base::ErrorCode::kMessageTooLarge:
    case base::ErrorCode::kRecordListTooLarge:
    case base::ErrorCode::kInvalidFetchSize:
      return base::ErrorCode::kUnknownServerError;
    default:
      return log_error;
  }
}

// Whether an append that was refused so leaves the state what the log holds: it was neither appended nor replayed, and
// the log is as much ours as before.
constexpr bool concerns_one_command(base::ErrorCode log_error) {
  return log_error == base::ErrorCode::kMessageTooLarge || log_error == base::ErrorCode::kRecordListTooLarge ||
         log_error == base::ErrorCode::kKafkaStorageError;
}

template <class Machine>
class CoordinatorRuntime {
 public:
  using Command = typename Machine::Command;
  using Reply = typename Machine::Reply;
  using Replies = std::vector<Reply>;
  enum class State { kInactive, kLoading, kActive };

  // `log` outlives the runtime. Replies that wait for a commit longer than `commit_timeout` are failed.
  CoordinatorRuntime(CoordinatorLog& log, base::Duration commit_timeout) : log_(log), commit_timeout_(commit_timeout) {}

  State state() const { return state_; }
  const Machine* machine() const { return machine_.get(); }

  // Leadership was won: what follows until finish_loading() is the content of the log, in order.
  // Any earlier state is gone; the caller has sent what resign() or failed() gave.
  Machine& start_loading(base::LeaderEpoch epoch, std::unique_ptr<Machine> machine) {
    epoch_ = epoch;
    machine_ = std::move(machine);
    held_.clear();
    state_ = State::kLoading;
    return *machine_;
  }

  // `committed`: the first offset that is not committed yet.
  Replies finish_loading(base::Offset committed, Now now) {
    STELE_CHECK(state_ == State::kLoading);
    state_ = State::kActive;
    committed_ = committed;
    Replies ready;
    run(machine_->loaded(now), now, ready);
    return ready;
  }

  // Leadership is lost.
  Replies resign() { return drop(State::kInactive, base::ErrorCode::kNotCoordinator); }

  // The log failed or its outcome is unknown: what was replayed may not be there. The owner loads again.
  Replies failed(base::ErrorCode error) { return drop(State::kInactive, client_error(error)); }

  Replies submit(Command command, Now now) {
    if (state_ == State::kLoading) {
      return Machine::refuse(std::move(command), base::ErrorCode::kCoordinatorLoadInProgress);
    }
    if (state_ == State::kInactive) return Machine::refuse(std::move(command), base::ErrorCode::kNotCoordinator);
    Replies ready;
    run(machine_->handle(std::move(command), now), now, ready);
    return ready;
  }

  // All offsets below `end` are committed.
  Replies committed(base::Offset end) {
    Replies ready;
    if (state_ != State::kActive || end <= committed_) return ready;
    committed_ = end;
    while (!held_.empty() && held_.front().reply.after < committed_) {
      ready.push_back(std::move(held_.front().reply));
      held_.pop_front();
    }
    return ready;
  }

  Replies tick(Now now) {
    Replies ready;
    if (state_ != State::kActive) return ready;
    while (!held_.empty() && held_.front().deadline <= now.mono) {
      Machine::fail(held_.front().reply, client_error(base::ErrorCode::kRequestTimedOut));
      ready.push_back(std::move(held_.front().reply));
      held_.pop_front();
    }
    while (state_ == State::kActive) {
      const auto next = machine_->next_deadline();
      if (!next || *next > now.mono) break;
      run(machine_->expire(now), now, ready);
    }
    return ready;
  }

  // When tick() is due; none while there is nothing to wait for.
  std::optional<base::MonoTime> next_deadline() const {
    if (state_ != State::kActive) return std::nullopt;
    auto next = machine_->next_deadline();
    if (!held_.empty() && (!next || held_.front().deadline < *next)) next = held_.front().deadline;
    return next;
  }

  size_t held() const { return held_.size(); }

 private:
  using Outcome = typename Machine::Outcome;
  struct Held {
    Reply reply;
    base::MonoTime deadline;
  };

  void run(Outcome outcome, Now now, Replies& ready) {
    std::optional<base::Offset> last;
    if (!outcome.records.empty()) {
      auto appended = outcome.atomic ? append(outcome.records, now) : append_in_pieces(outcome.records, now);
      if (!appended.ok()) {
        refuse(std::move(outcome), appended.code(), now, ready);
        return;
      }
      last = *appended;
    }
    for (Reply& reply : outcome.replies) {
      if (last && reply.after < *last) reply.after = *last;
      hold(std::move(reply), now, ready);
    }
  }

  void hold(Reply reply, Now now, Replies& ready) {
    if (reply.after < committed_) {
      ready.push_back(std::move(reply));
      return;
    }
    // Kept in the order of their offsets: a reply never waits for less than the one before it.
    if (!held_.empty() && reply.after < held_.back().reply.after) reply.after = held_.back().reply.after;
    held_.push_back(Held{std::move(reply), now.mono + commit_timeout_});
  }

  // The offset of the last record; the records are replayed.
  base::Result<base::Offset> append(std::span<const typename Machine::Record> records, Now now) {
    std::vector<LogRecord> bytes;
    bytes.reserve(records.size());
    for (const auto& record : records) {
      auto encoded = Machine::encode(record);
      // A name that the format of the log can't hold, though the request's can.
      if (!encoded.ok()) return {base::ErrorCode::kMessageTooLarge, std::move(encoded).error().message};
      bytes.push_back(*std::move(encoded));
    }
    auto base = log_.append(epoch_, now.wall, bytes);
    if (!base.ok()) return std::move(base).error();
    for (size_t i = 0; i < records.size(); ++i) machine_->replay(*base + static_cast<int64_t>(i), records[i]);
    return *base + static_cast<int64_t>(records.size() - 1);
  }

  base::Result<base::Offset> append_in_pieces(std::span<const typename Machine::Record> records, Now now) {
    constexpr size_t kRecordsPerBatch = 500;
    base::Result<base::Offset> last = base::kNoOffset;
    while (!records.empty()) {
      const size_t count = std::min(kRecordsPerBatch, records.size());
      last = append(records.first(count), now);
      if (!last.ok()) return last;
      records = records.subspan(count);
    }
    return last;
  }

  void refuse(Outcome outcome, base::ErrorCode error, Now now, Replies& ready) {
    const base::ErrorCode shown = client_error(error);
    for (Reply& reply : outcome.replies) Machine::fail(reply, shown);
    for (Reply& reply : outcome.replies) ready.push_back(std::move(reply));
    outcome.replies.clear();
    if (concerns_one_command(error)) {
      run(machine_->refused(outcome, shown, now), now, ready);
      return;
    }
    for (Reply& reply : failed(error)) ready.push_back(std::move(reply));
  }

  Replies drop(State next, base::ErrorCode error) {
    Replies ready;
    if (machine_) ready = machine_->drop(error);
    for (Held& held : held_) {
      Machine::fail(held.reply, error);
      ready.push_back(std::move(held.reply));
    }
    held_.clear();
    machine_.reset();
    state_ = next;
    return ready;
  }

  CoordinatorLog& log_;
  base::Duration commit_timeout_;
  State state_ = State::kInactive;
  base::LeaderEpoch epoch_ = base::kNoLeaderEpoch;
  std::unique_ptr<Machine> machine_;
  base::Offset committed_{0};
  std::deque<Held> held_;
};

}  // namespace stele::coordinator
