// All that is left to chance about one seed, drawn before it runs.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "config/broker_config.h"
#include "io/sim/faults.h"

namespace stele::sim::swarm {

enum class Durability : uint8_t { kAny, kReplicated, kSynced };

// What can be done to the broker. Each can be left out, to see whether a failure needs it.
enum class FaultKind : uint8_t {
  kKill,
  kPowerLoss,
  kStop,
  kPause,         // SIGSTOP and SIGCONT
  kTearing,       // a power loss leaves parts of what was not synced
  kNetwork,       // delays, stalls, resets, half-open connections, a host cut off
  kSlowDisk,      // slow and stuck operations, reads that miss the page cache
  kLoops,         // slow links between shards, slow helpers, shards that stand still
  kRareBranches,  // Shard::maybe()
  kDiskErrors,    // of one log dir: EIO, short writes, no space, read-only; of all, reads with a flipped bit
  kClients,       // all of them crash, and begin anew
};
inline constexpr FaultKind kAllFaults[] = {FaultKind::kKill,       FaultKind::kPowerLoss, FaultKind::kStop,
                                           FaultKind::kPause,      FaultKind::kTearing,   FaultKind::kNetwork,
                                           FaultKind::kSlowDisk,   FaultKind::kLoops,     FaultKind::kRareBranches,
                                           FaultKind::kDiskErrors, FaultKind::kClients};
// Those that strike at one moment; the others lie over the whole time until the world heals.
inline constexpr FaultKind kStrikes[] = {FaultKind::kKill, FaultKind::kPowerLoss, FaultKind::kStop, FaultKind::kPause,
                                         FaultKind::kClients};
const char* name_of(FaultKind kind);
constexpr uint32_t bit_of(FaultKind kind) { return 1U << static_cast<uint32_t>(kind); }

// Draws that came later than others lie behind these, so that a stored seed goes on telling what it told.
//   1  what there was at first
//   2  readers ask for Metadata, members commit for generations that are over
//   3  limits of requests, connections, groups, partitions, open files and free space; time-outs of members
//   4  readers look up times and leader epochs, a disk turns read-only in the middle, some seeds have a group that
//   lives
//      for a while
inline constexpr uint32_t kNewestStory = 4;
inline constexpr uint32_t kStory = 1;  // that is told unless another is asked for

// What a run may be cut down to.
struct Limits {
  uint32_t story = kStory;
  Durability durability = Durability::kAny;
  uint32_t faults_off = 0;                // bits of FaultKind
  uint32_t clients_max = 8;               // of each kind together
  int32_t partitions_max = 8;             // of a topic
  uint64_t faults_events = ~uint64_t{0};  // from this event on nothing new is begun: the world heals
};

struct TopicPlan {
  std::string name;
  int32_t partitions = 1;
  config::ConfigMap config;
  int64_t segment_bytes = 0;
};

enum class ClientKind : uint8_t { kPlain, kIdempotent, kReader, kMember, kLoner, kAdmin };
const char* name_of(ClientKind kind);

struct ClientPlan {
  ClientKind kind = ClientKind::kPlain;
  uint64_t seed = 0;
  uint32_t operations = 0;  // it ends after so many, or when the world heals
  int16_t acks = -1;
  uint32_t in_flight = 1;
  int32_t group = 0;
  base::Duration timeout{};   // of one request
  base::Duration think{};     // mean pause between operations
  uint32_t attempts_max = 0;  // before it gives up and does not know
  bool narrow = false;        // it writes to one partition alone
  bool sessions = false;
  base::Duration session_timeout = std::chrono::milliseconds{1000};  // of a group member; and
  base::Duration rebalance_timeout = std::chrono::milliseconds{1500};
  uint32_t metadata_bytes = 0;  // most that it commits beside an offset
};

struct Plan {
  uint64_t seed = 0;
  uint32_t story = kStory;
  bool synced = false;
  uint32_t shards = 1;
  config::ConfigMap config;
  std::vector<std::string> log_dirs;
  std::vector<TopicPlan> topics;
  std::vector<ClientPlan> clients;
  uint32_t faults = 0;          // bits of FaultKind
  base::Duration faults_for{};  // virtual time until the world heals
  base::Duration gap{};         // mean time between faults
  base::Duration down{};        // mean time for which a broker is down
  io::PowerLoss power = io::kLoseAll;
  io::NetworkFaults network;
  io::DiskFaults disk;
  bool disk_errors = false;
  io::DiskFaults bad_disk;           // of the log dir that has them
  base::Duration read_only_after{};  // it is from then on, until the world heals; zero: never
  bool always_synced = false;        // no topic ever says otherwise
  uint32_t flipped_read = 0;         // while all partitions are open
  std::string bad_dir;
  io::LoopFaults loops;
  io::RareBranches rare;
  base::Duration cut_off{};  // mean time for which clients are cut off, one way or both; zero: never
  uint32_t value_bytes = 0;  // most bytes of a value
  bool codecs = false;
  uint64_t faults_events = 0;

  base::SeededRandom stream(uint64_t number) const;
  std::string text() const;  // for the one who reads a failure
};

// Draws of a client beside those from its seed: what is new takes none of these away.
base::SeededRandom news_of(const ClientPlan& client, uint64_t number);

Plan draw_plan(uint64_t seed, const Limits& limits);

}  // namespace stele::sim::swarm
