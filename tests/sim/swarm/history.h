// What clients saw and what was done to the broker, as the judges read it. Times are numbers of one counter: whatever
// began or ended earlier has the smaller one.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace stele::sim::swarm {

using Moment = uint64_t;
inline constexpr Moment kNever = std::numeric_limits<Moment>::max();

// A partition for good: `topic` counts topics as they were made, so that one made again under its name is another.
struct Place {
  int32_t topic = -1;
  int32_t partition = -1;
  friend auto operator<=>(const Place&, const Place&) = default;
};

// Names the bytes of one record: a number that no other record has, and a checksum of its value.
using RecordMark = uint64_t;
constexpr uint32_t number_of(RecordMark mark) { return static_cast<uint32_t>(mark >> 32); }

enum class Outcome : uint8_t {
  kInfo,  // nobody knows: it may have happened, and may happen yet
  kOk,
  kFail,  // it has not happened, and will not
};

// Begin and end of an operation. The era counts the lives of the broker's process; it is that of the connection on
// which the answer came.
struct Span {
  Moment invoked = 0;
  Moment completed = kNever;
  uint32_t era = 0;
};

// One batch, however often it was sent.
struct Send {
  Span span;
  Place place;
  uint32_t client = 0;
  uint32_t line = 0;  // the connection of the last attempt
  int16_t acks = -1;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t sequence = -1;
  uint32_t attempts = 0;
  Outcome outcome = Outcome::kInfo;
  int16_t code = -1;
  int64_t base_offset = -1;  // of an answer; -1 where it named none
  std::vector<RecordMark> records{};
};

struct SeenRecord {
  int64_t offset = 0;
  RecordMark mark = 0;
  int32_t leader_epoch = -1;  // of its batch
  int64_t timestamp = -1;
};

// The answer of one partition of a Fetch.
struct Read {
  Span span;
  Place place;
  uint32_t client = 0;
  int64_t from = 0;
  int16_t code = 0;
  int64_t high_watermark = -1;
  int64_t log_start = -1;
  std::string damage{};  // what could not be decoded
  std::vector<SeenRecord> records{};
  bool final_scan = false;  // reads all there is, in pieces, when nothing else goes on
};

// An answer of ListOffsets.
struct Bound {
  Span span;
  Place place;
  bool latest = true;  // else the earliest
  int64_t offset = -1;
  int32_t leader_epoch = -1;  // of the latest
};

// An answer of ListOffsets to a time: the first record that is not earlier; -1: there is none.
struct TimeLookup {
  Span span;
  Place place;
  int64_t asked = 0;
  int64_t timestamp = -1;
  int64_t offset = -1;
};

// An answer of OffsetForLeaderEpoch: the largest epoch up to the one asked for, and where it ends; -1: there is none.
struct EpochLookup {
  Span span;
  Place place;
  int32_t asked = 0;
  int32_t epoch = -1;
  int64_t end = -1;
};

// A partition's leader epoch as Metadata told it.
struct EpochSeen {
  Span span;
  Place place;
  int32_t leader_epoch = -1;
};

struct Trim {  // DeleteRecords
  Span span;
  Place place;
  int64_t before = 0;
  Outcome outcome = Outcome::kInfo;
  int64_t low_watermark = -1;
};

struct Commit {
  Span span;
  int32_t group = -1;
  Place place;
  int64_t offset = -1;  // no two commits of a group and place have the same
  Outcome outcome = Outcome::kInfo;
  int32_t generation = -1;  // that it named
};

struct CommitRead {
  Span span;
  int32_t group = -1;
  Place place;
  int64_t offset = -1;  // -1: there is none
};

// What the leader of a generation told the coordinator to hand out: a byte for each partition.
struct Handout {
  Span span;  // never completed: nobody knows whether it was taken
  int32_t group = -1;
  int32_t generation = -1;
  std::map<std::string, std::string> parts;  // by member
};

// What a member was handed.
struct Assignment {
  Span span;
  int32_t group = -1;
  int32_t generation = -1;
  std::string member;
  std::string part;
};

struct Topic {
  std::string name;
  Moment created = kNever;         // the controller said so
  Moment delete_invoked = kNever;  // from here on anything may be gone
  Moment deleted = kNever;         // the controller said so
  bool may_expire = false;         // a retention was set at some time
  bool synced = false;             // durability=synced, all the time
  bool there_at_end = false;
  int32_t partitions = 0;  // acknowledged
  int32_t partitions_at_end = 0;
};

// How a process ended.
enum class EndKind : uint8_t { kStop, kKill, kPowerLoss };

struct Ends {
  int64_t written = 0;
  int64_t synced = 0;
  int64_t assigned = 0;
  bool damaged = false;  // its disk failed in this era: what was not synced may be gone
  int64_t log_start = 0;

  // What a loss of power leaves. A log whose start reaches what is synced counts as synced up to there, though nothing
  // of it may be: what was deleted need not stay.
  int64_t left() const { return synced > log_start ? synced : 0; }
  friend bool operator==(const Ends&, const Ends&) = default;
};

struct Ending {
  uint32_t era = 0;
  EndKind kind = EndKind::kKill;
  Moment at = 0;
  std::map<Place, Ends> ends{};  // of the logs that were open
};

// A log was opened for the first time in an era.
struct Opening {
  uint32_t era = 0;
  Place place;
  int64_t end = 0;
  int64_t log_start = 0;
};

// Something that no judge needs to find out: an answer that none may get, an invariant that did not hold.
struct Oddity {
  Moment at = 0;
  std::string what;
};

struct History {
  bool synced = false;  // stele.durability=synced, for topics that do not say otherwise
  bool flips = false;   // bits flip in what is read; the leader epoch of a batch lies outside of its checksum
  Moment clock = 0;
  std::vector<Topic> topics;
  std::vector<Send> sends;
  std::vector<Read> reads;
  std::vector<Bound> bounds;
  std::vector<Trim> trims;
  std::vector<Commit> commits;
  std::vector<CommitRead> commit_reads;
  std::vector<EpochSeen> epochs;
  std::vector<TimeLookup> time_lookups;
  std::vector<EpochLookup> epoch_lookups;
  std::vector<Handout> handouts;
  std::vector<Assignment> assignments;
  std::vector<Ending> endings;    // by era
  std::vector<Opening> openings;  // by era
  std::vector<Oddity> oddities;
  std::map<int32_t, Place> group_logs;  // where a group's commits lie

  Moment tick() { return ++clock; }
};

}  // namespace stele::sim::swarm
