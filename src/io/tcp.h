// TCP streams and listeners of the machine.
#pragma once

#include <memory>

#include "base/result.h"
#include "base/task.h"
#include "io/reactor.h"
#include "io/shard.h"
#include "io/stream.h"

namespace stele::io {

// The ports of shard.h. The reactor outlives what is made with it.
base::Result<std::unique_ptr<Listener>> listen_tcp(Reactor& reactor, const Endpoint& endpoint,
                                                   int64_t send_buffer_bytes);
base::Task<base::Result<std::unique_ptr<Stream>>> connect_tcp(Shard& shard, Reactor& reactor, Endpoint endpoint);
std::unique_ptr<Stream> adopt_tcp(Shard& shard, Reactor& reactor, std::unique_ptr<DetachedStream> stream);
std::unique_ptr<DetachedStream> detach_tcp(std::unique_ptr<Stream> stream);

}  // namespace stele::io
