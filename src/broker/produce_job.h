// The appends of one Produce request, handed to the shards that own the partitions.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "broker/broker_shard.h"

namespace stele::broker {

struct ProduceItem {
  PartitionKey key;
  std::optional<base::ShardId> owner;  // of the partition; ProduceJob finds it
  base::MutableBytes records;
  // Set where the item was refused before it came here: then it is left alone.
  AppendResult result;
  base::ByteVector rebuilt;  // the batch that is written where compression.type asked for another codec
};

struct ProduceParams {
  record::AppendOrigin origin = record::AppendOrigin::kClient;
  int16_t version = 0;
};

// Keeps the bytes of the records alive. Made, held and destroyed on the shard where the request came in.
class HeldBytes {
 public:
  virtual ~HeldBytes() = default;
  // So many more bytes are held beside them, for as long: batches that had to be made anew.
  virtual void held_beside(size_t bytes) = 0;
};

// Belongs to the home shard. Who waits may go away: the appends go on, and the bytes are held until they count.
class ProduceJob {
 public:
  // Hands every item to its shard before it returns, so that calls in order append in order. Afterwards no item changes
  // until `done` is set.
  static std::shared_ptr<ProduceJob> start(BrokerShard& home, std::vector<ProduceItem> items, ProduceParams params,
                                           std::unique_ptr<HeldBytes> held);

  ProduceJob(BrokerShard& home, std::vector<ProduceItem> to_append, ProduceParams with,
             std::unique_ptr<HeldBytes> bytes)
      : items(std::move(to_append)), done(home.shard().executor()), params_(with), held_(std::move(bytes)) {}

  std::vector<ProduceItem> items;
  base::Signal done;  // every item counts (PartitionLog::counted_end) or has failed

 private:
  struct ToOwner;
  struct ToHome;
  struct RebuiltToHome;
  // Appends the items that `at` owns, and touches no other.
  static base::Task<void> run(std::shared_ptr<ProduceJob> job, BrokerShard& at, BrokerShard& home);
  // Tells the home shard of batches that `at` made anew, in so many bytes.
  static void tell_rebuilt(const std::shared_ptr<ProduceJob>& job, BrokerShard& at, BrokerShard& home, size_t bytes);
  void rebuilt(size_t bytes);
  void part_done();

  ProduceParams params_;
  std::unique_ptr<HeldBytes> held_;
  size_t pending_ = 0;
  bool rebuilt_ = false;  // an item's batch was made anew
};

}  // namespace stele::broker
