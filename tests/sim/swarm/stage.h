// What all model clients of one world share: the history they write, the topics they know of, and connections that
// give up after a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/shard.h"
#include "sim/client.h"
#include "sim/swarm/history.h"
#include "sim/swarm/log_watch.h"
#include "sim/swarm/plan.h"
#include "wire/metadata_response.h"

namespace stele::sim::swarm {

struct KnownTopic {
  int32_t number = -1;  // in the history
  std::string name;
  base::TopicId id;
  int32_t partitions = 0;
  int64_t segment_bytes = 0;
  bool deleting = false;
};

struct Stage {
  Stage(const Plan& its_plan, History& its_history, TopicNumbers& its_numbers)
      : plan(its_plan), history(its_history), numbers(its_numbers) {}

  const Plan& plan;
  History& history;
  TopicNumbers& numbers;
  std::vector<KnownTopic> topics;
  bool healed = false;   // clients begin nothing new, and finish what they have begun
  uint32_t lines = 0;    // connections made
  uint32_t records = 0;  // made so far
  int64_t commits = 0;   // likewise
  uint32_t topic_names = 0;
  uint64_t acknowledged = 0;                  // operations that were answered well
  std::function<void(std::string_view)> say;  // empty unless somebody reads along

  uint32_t era() const { return static_cast<uint32_t>(history.endings.size()); }
  // One that is not being deleted; null where there is none.
  KnownTopic* any_topic(base::Random& random);
  KnownTopic* find(const base::TopicId& id);
  KnownTopic& add_topic(std::string name, const base::TopicId& id, int32_t partitions, int64_t segment_bytes);
  Topic& story_of(const KnownTopic& topic) { return history.topics.at(static_cast<size_t>(topic.number)); }
  void odd(std::string what) { history.oddities.push_back({history.clock, std::move(what)}); }
};

// A connection whose calls end after a time.
class Line {
 public:
  // Null where nobody listens, or nobody answers in time.
  static base::Task<std::unique_ptr<Line>> connect(Stage& stage, io::Shard& shard, base::Duration timeout);
  Line(io::Shard& shard, std::unique_ptr<Client> client, uint32_t era, uint32_t number);
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  uint32_t era() const { return era_; }
  uint32_t number() const { return number_; }

  base::Task<bool> send(base::ByteVector frame, base::Duration timeout);
  // Without an answer the connection is of no use any more.
  template <class Response>
  base::Task<Answer<Response>> answer(int16_t version, base::Duration timeout) {
    timer_->arm(shard_.clock().now() + timeout, late_);
    auto got = co_await client_->read_answer<Response>(version);
    timer_->disarm();
    co_return got;
  }
  template <class Response, class Request>
  base::Task<Answer<Response>> call(const Request& request, int16_t version, base::Duration timeout) {
    base::ByteVector bytes = client_->frame<Response>(request, version);
    if (!co_await send(std::move(bytes), timeout)) co_return Answer<Response>{};
    co_return co_await answer<Response>(version, timeout);
  }
  template <class Response, class Request>
  base::ByteVector frame(const Request& request, int16_t version) {
    return client_->frame<Response>(request, version);
  }

 private:
  base::Task<void> hang_up_when_late();

  io::Shard& shard_;
  std::unique_ptr<Client> client_;
  uint32_t era_;
  uint32_t number_;
  std::unique_ptr<io::Timer> timer_;
  base::Signal late_;
  base::TaskScope scope_;
};

base::Task<void> pause(io::Shard& shard, base::Random& random, base::Duration mean);

// Bytes of so many of one record, told apart by number.
struct Value {
  std::string bytes;
  RecordMark mark = 0;
};
Value make_value(uint32_t number, size_t size, base::Random& random);
RecordMark mark_of(base::Bytes value);

struct ModelBatch {
  std::vector<Value> values;
  record::Codec codec = record::Codec::kNone;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t sequence = -1;
};
base::ByteVector encode(const ModelBatch& batch, base::Timestamp now);
// Every record from `from` on; what cannot be read is said in `damage`.
std::vector<SeenRecord> decode(base::Bytes records, int64_t from, std::string& damage);

// The clients. Each ends once it has done what its plan says, or once the world has healed and what it had begun is
// done.
base::Task<void> run_producer(Stage& stage, io::Shard& shard, const ClientPlan& plan, uint32_t number);
base::Task<void> run_reader(Stage& stage, io::Shard& shard, const ClientPlan& plan, uint32_t number);
base::Task<void> run_member(Stage& stage, io::Shard& shard, const ClientPlan& plan, uint32_t number);
// Commits and fetches offsets without being a member.
base::Task<void> run_loner(Stage& stage, io::Shard& shard, const ClientPlan& plan, uint32_t number);
base::Task<void> run_admin(Stage& stage, io::Shard& shard, const ClientPlan& plan, uint32_t number);

// Makes the topics of the plan.
base::Task<void> set_up(Stage& stage, io::Shard& shard);
// Asks once; what is not known after it may still come to be.
base::Task<Outcome> create_topic(Stage& stage, Line& line, TopicPlan topic, base::Duration timeout);
// Reads everything there is, and what groups have committed.
base::Task<void> scan_all(Stage& stage, io::Shard& shard);

// An answer of OffsetFetch into the history; false where there was none. `code` is that of a refusal.
base::Task<bool> fetch_offsets(Stage& stage, Line& line, int32_t group, const KnownTopic& topic, base::Duration timeout,
                               int16_t& code);
inline constexpr int32_t kGroups = 4;
std::string group_name(int32_t group);
// The leader epochs that it tells, into the history.
void note_epochs(Stage& stage, const wire::MetadataResponse& answer, Span span);

}  // namespace stele::sim::swarm
