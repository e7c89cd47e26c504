// Fetch sessions (KIP-227): what a reader wants to know of a set of partitions, kept between its requests so that it
// names, and is told, only what changed. Follows org.apache.kafka.server.FetchSession of Kafka. Pure state; time is a
// parameter.
#pragma once

#include <cstdint>
#include <expected>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error_code.h"
#include "base/limit.h"
#include "base/random.h"
#include "base/uuid.h"
#include "wire/fetch_request.h"
#include "wire/fetch_response.h"

namespace stele::server {

// A partition as a reader names it: by topic name below version 13, by id from there on.
struct FetchKey {
  std::string topic;
  base::TopicId topic_id;
  int32_t partition = 0;
  friend auto operator<=>(const FetchKey&, const FetchKey&) = default;
};

struct FetchWish {
  FetchKey key;
  int64_t offset = 0;
  int32_t bytes_max = 0;
  int32_t current_leader_epoch = -1;
  int32_t last_fetched_epoch = -1;
};

class FetchSession {
 public:
  FetchSession(int32_t id, bool by_id, base::MonoTime now) : id_(id), by_id_(by_id), last_used_(now) {}

  int32_t id() const { return id_; }
  size_t size() const { return entries_.size(); }
  // What it takes of the limit of all sessions: a partition counts more than once where its topic's name is longer than
  // a name can be.
  size_t weight() const { return weight_; }
  // The session's partitions, in the order in which they are to be read.
  std::vector<FetchWish> wishes() const;
  // Whether the reader has to be told of this answer; remembers it. A partition in error is told of every time, and one
  // that gave data goes to the end, so that all have their turn.
  bool tell(const FetchKey& key, const wire::FetchResponse::PartitionData& answer);

 private:
  friend class FetchSessions;
  struct Entry {
    FetchWish wish;
    int64_t high_watermark = -1;
    int64_t log_start_offset = -1;
  };
  void put(const FetchWish& wish);
  void forget(const FetchKey& key);

  int32_t id_;
  bool by_id_;
  int32_t epoch_ = 1;  // the one that the next request must carry
  base::MonoTime last_used_;
  size_t weight_ = 0;
  std::list<Entry> entries_;
  std::map<FetchKey, std::list<Entry>::iterator> by_key_;
};

struct FetchSessionLimits {
  size_t slots = 1000;                                     // max.incremental.fetch.session.cache.slots; 0: no sessions
  size_t partitions_max = 100'000;                         // stele.fetch.session.partitions.max, of one session
  size_t total_partitions_max = 1'000'000;                 // stele.fetch.sessions.partitions.max, this shard's share
  base::Duration evict_after = std::chrono::seconds{120};  // a session idle for that long makes room for another
};

// The sessions of one shard; an id names its shard.
class FetchSessions {
 public:
  FetchSessions(FetchSessionLimits limits, base::ShardId shard, uint32_t shard_count, base::Random& random)
      : limits_(limits), shard_(shard), shard_count_(shard_count), random_(random) {}

  struct Opened {
    base::ErrorCode code = base::ErrorCode::kNone;  // 70, 71 or 106: the answer is only this
    std::optional<base::Limit> limit;               // met by a session that outgrew it: it is gone, and code is 70
    std::vector<FetchWish> wishes;
    std::shared_ptr<FetchSession> session;  // of an incremental request
    bool may_create = false;                // a full request that asks for a session
  };
  // What a request asks for, its session brought up to date.
  Opened open(const wire::FetchRequest& request, int16_t version, base::MonoTime now);
  // A session for the reader of a full request. The limit that it met where all slots are taken by sessions in use, or
  // where it names too many partitions: it then goes on naming all of them each time.
  std::expected<std::shared_ptr<FetchSession>, base::Limit> create(const std::vector<FetchWish>& wishes, bool by_id,
                                                                   base::MonoTime now);
  size_t size() const { return sessions_.size(); }
  size_t total_weight() const { return total_weight_; }

 private:
  using Sessions = std::map<int32_t, std::shared_ptr<FetchSession>>;
  void erase(Sessions::iterator session);
  bool make_room(size_t wanted_size, base::MonoTime now);
  int32_t fresh_id();  // id modulo the number of shards is the shard

  FetchSessionLimits limits_;
  base::ShardId shard_;
  uint32_t shard_count_;
  base::Random& random_;
  Sessions sessions_;
  size_t total_weight_ = 0;
};

}  // namespace stele::server
