#include "server/fetch_session.h"

#include <limits>

namespace stele::server {

namespace {

constexpr int32_t kFullEpoch = 0;
constexpr int32_t kFinalEpoch = -1;
constexpr int16_t kFirstVersionById = 13;

int32_t next_epoch(int32_t epoch) { return epoch == std::numeric_limits<int32_t>::max() ? 1 : epoch + 1; }

constexpr size_t kNameBytesCounted = 256;
constexpr size_t kLongNameBytesMax = size_t{1} << 20;
size_t weight_of(const FetchKey& key) { return 1 + key.topic.size() / kNameBytesCounted; }

template <class Topic>
FetchKey key_of(const Topic& topic, int32_t partition) {
  return {std::string{topic.topic}, topic.topic_id, partition};
}

template <class Visit>
void for_each_wish(const wire::FetchRequest& request, Visit visit) {
  for (const auto& topic : request.topics) {
    for (const auto& partition : topic.partitions) {
      visit(FetchWish{key_of(topic, partition.partition), partition.fetch_offset, partition.partition_max_bytes,
                      partition.current_leader_epoch, partition.last_fetched_epoch});
    }
  }
}

// No topic has a name that long, and each partition that is named would copy it.
bool copies_too_much(const wire::FetchRequest& request) {
  size_t bytes = 0;
  for (const auto& topic : request.topics) {
    if (topic.topic.size() > kNameBytesCounted) bytes += topic.topic.size() * topic.partitions.size();
  }
  return bytes > kLongNameBytesMax;
}

}  // namespace

std::vector<FetchWish> FetchSession::wishes() const {
  std::vector<FetchWish> all;
  all.reserve(entries_.size());
  for (const Entry& entry : entries_) all.push_back(entry.wish);
  return all;
}

bool FetchSession::tell(const FetchKey& key, const wire::FetchResponse::PartitionData& answer) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return true;
  Entry& entry = *found->second;
  const bool has_data = answer.records && !answer.records->empty();
  bool told = has_data || answer.preferred_read_replica != -1 || answer.diverging_epoch.epoch != -1 ||
              answer.high_watermark != entry.high_watermark || answer.log_start_offset != entry.log_start_offset;
  entry.high_watermark = answer.high_watermark;
  entry.log_start_offset = answer.log_start_offset;
  if (answer.error_code != 0) {
    entry.high_watermark = -1;
    told = true;
  }
  if (has_data) entries_.splice(entries_.end(), entries_, found->second);
  return told;
}

void FetchSession::put(const FetchWish& wish) {
  const auto found = by_key_.find(wish.key);
  if (found != by_key_.end()) {
    found->second->wish = wish;
    return;
  }
  entries_.push_back({.wish = wish});
  weight_ += weight_of(wish.key);
  by_key_.emplace(wish.key, std::prev(entries_.end()));
}

void FetchSession::forget(const FetchKey& key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return;
  weight_ -= weight_of(key);
  entries_.erase(found->second);
  by_key_.erase(found);
}

FetchSessions::Opened FetchSessions::open(const wire::FetchRequest& request, int16_t version, base::MonoTime now) {
  Opened opened;
  if (copies_too_much(request)) {
    opened.code = base::ErrorCode::kInvalidRequest;
    return opened;
  }
  const bool full = request.session_epoch == kFullEpoch || request.session_epoch == kFinalEpoch;
  if (full) {
    if (const auto old = sessions_.find(request.session_id); old != sessions_.end()) erase(old);
    size_t count = 0;
    for (const auto& topic : request.topics) count += topic.partitions.size();
    opened.wishes.reserve(count);
    for_each_wish(request, [&opened](FetchWish wish) { opened.wishes.push_back(std::move(wish)); });
    const bool sessions = limits_.slots > 0 && limits_.total_partitions_max > 0;
    opened.may_create = request.session_epoch == kFullEpoch && version >= 7 && sessions;
    return opened;
  }
  const auto found = sessions_.find(request.session_id);
  if (found == sessions_.end()) {
    opened.code = base::ErrorCode::kFetchSessionIdNotFound;
    return opened;
  }
  FetchSession& session = *found->second;
  if (session.by_id_ != (version >= kFirstVersionById)) {
    opened.code = base::ErrorCode::kFetchSessionTopicIdError;
    return opened;
  }
  if (session.epoch_ != request.session_epoch) {
    opened.code = base::ErrorCode::kInvalidFetchSessionEpoch;
    return opened;
  }
  total_weight_ -= session.weight();
  for_each_wish(request, [&session](const FetchWish& wish) { session.put(wish); });
  for (const auto& topic : request.forgotten_topics_data) {
    for (const int32_t partition : topic.partitions) session.forget(key_of(topic, partition));
  }
  total_weight_ += session.weight();
  // The reader makes a full request then, and gets no session for as long as it names so many.
  if (session.size() > limits_.partitions_max || total_weight_ > limits_.total_partitions_max) {
    const bool alone = session.size() > limits_.partitions_max;
    opened.limit = alone ? base::Limit::kFetchSessionPartitions : base::Limit::kFetchSessionsPartitions;
    erase(found);
    opened.code = base::ErrorCode::kFetchSessionIdNotFound;
    return opened;
  }
  opened.wishes = session.wishes();
  if (session.size() == 0) {
    erase(found);
    return opened;
  }
  session.epoch_ = next_epoch(session.epoch_);
  session.last_used_ = now;
  opened.session = found->second;
  return opened;
}

std::expected<std::shared_ptr<FetchSession>, base::Limit> FetchSessions::create(const std::vector<FetchWish>& wishes,
                                                                                bool by_id, base::MonoTime now) {
  if (wishes.size() > limits_.partitions_max) return std::unexpected(base::Limit::kFetchSessionPartitions);
  if (sessions_.size() >= limits_.slots && !make_room(wishes.size(), now)) {
    return std::unexpected(base::Limit::kFetchSessionSlots);
  }
  auto session = std::make_shared<FetchSession>(fresh_id(), by_id, now);
  for (const FetchWish& wish : wishes) session->put(wish);
  while (total_weight_ + session->weight() > limits_.total_partitions_max) {
    if (!make_room(session->size(), now)) return std::unexpected(base::Limit::kFetchSessionsPartitions);
  }
  total_weight_ += session->weight();
  sessions_.emplace(session->id(), session);
  return session;
}

void FetchSessions::erase(Sessions::iterator session) {
  total_weight_ -= session->second->weight();
  sessions_.erase(session);
}

// Takes the place of the session that was idle for longest, if that was long enough, or else of the smallest one that
// is smaller than what asks for room.
bool FetchSessions::make_room(size_t wanted_size, base::MonoTime now) {
  if (sessions_.empty()) return false;
  auto oldest = sessions_.begin();
  auto smallest = sessions_.begin();
  for (auto at = sessions_.begin(); at != sessions_.end(); ++at) {
    if (at->second->last_used_ < oldest->second->last_used_) oldest = at;
    if (at->second->size() < smallest->second->size()) smallest = at;
  }
  if (now - oldest->second->last_used_ > limits_.evict_after) {
    erase(oldest);
    return true;
  }
  if (smallest->second->size() >= wanted_size) return false;
  erase(smallest);
  return true;
}

int32_t FetchSessions::fresh_id() {
  while (true) {
    const auto drawn = static_cast<int64_t>(random_.below(std::numeric_limits<int32_t>::max() / shard_count_ - 1)) + 1;
    const auto id = static_cast<int32_t>(drawn * shard_count_ + shard_.value());
    if (id > 0 && !sessions_.contains(id)) return id;
  }
}

}  // namespace stele::server
