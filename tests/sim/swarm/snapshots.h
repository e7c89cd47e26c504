// Producer snapshots against the batches before them.
#pragma once

#include <string>
#include <vector>

#include "base/task.h"
#include "io/file.h"

namespace stele::sim::swarm {

// Of a partition's directory whose broker has stopped: each snapshot must say what a replay of the batches from the
// first segment on gives at its offset. It may know more of producers whose batches are deleted. Not for logs whose
// producers expired or were too many.
base::Task<void> check_snapshots(io::Directory& log_dir, std::string partition, std::vector<std::string>& problems);

}  // namespace stele::sim::swarm
