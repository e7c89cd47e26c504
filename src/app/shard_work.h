// Runs work that is written for a shard (files above all) from the command line.
#pragma once

#include <functional>

#include "base/task.h"
#include "io/shard.h"

namespace stele::app {

// Starts a world of one shard, runs the work to its end there, and answers what it answered. The work is no capturing
// coroutine: it calls one, whose arguments outlive this call.
int run_on_shard(const std::function<base::Task<int>(io::Shard&)>& work);

}  // namespace stele::app
