// Ports for connections. A Stream is a TCP connection in production and a pair of queues in the simulated world.
// All calls are made on the shard that owns the object; none blocks.
#pragma once

#include <sys/uio.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/executor.h"
#include "base/result.h"

namespace stele::io {

struct FileRange;

struct Endpoint {
  std::string host;  // name or address; empty listens on every address
  uint16_t port = 0;
};

enum class Transfer { kDone, kWouldBlock, kEnd, kError };

struct TransferResult {
  Transfer status = Transfer::kError;
  size_t bytes = 0;  // moved; less than asked for is normal
  int os_error = 0;
};

class Stream {
 public:
  virtual ~Stream() = default;  // closes without a farewell; waiting signals are not set any more

  virtual TransferResult try_read(std::span<const iovec> into) = 0;
  virtual TransferResult try_write(std::span<const iovec> from) = 0;
  // Whether try_send() may be called. False where bytes must pass through this process, as those of TLS do.
  virtual bool sends_files() const { return false; }
  // Sends what lies `skip` bytes into the range, or the first part of it, from the page cache and without a copy. The
  // peer may read the file's bytes as they are later, until it has taken them. kError with os_error EAGAIN: they are
  // not in the page cache, nothing was sent, and nothing waits for the disk. kError with ESTALE: the file was cut since
  // the range was found, and what was sent of it may be wrong: the stream must end. kEnd: the file is shorter.
  virtual TransferResult try_send(const FileRange& range, size_t skip) {
    (void)range, (void)skip;
    return {.status = Transfer::kError, .os_error = ENOTSUP};
  }
  // Sets the signal once the next try_read (try_write, try_send) would not answer kWouldBlock: on data, room, end or
  // error. It is a hint: what was there may have been used meanwhile. One signal for each direction; it stays
  // registered until it was set once, and must outlive the stream or be replaced by null.
  virtual void notify_readable(base::Signal* signal) = 0;
  virtual void notify_writable(base::Signal* signal) = 0;
  // Both directions end; pending and later transfers answer kEnd or kError, and registered signals are set.
  virtual void shutdown() = 0;
  virtual const std::string& peer_address() const = 0;  // "127.0.0.1", "::1"
  virtual uint16_t peer_port() const = 0;
};

// A stream on its way from one shard to another; not readable until it is adopted there.
class DetachedStream {
 public:
  virtual ~DetachedStream() = default;
  virtual const std::string& peer_address() const = 0;
  virtual uint16_t peer_port() const = 0;
};

class Listener {
 public:
  virtual ~Listener() = default;
  // The next connection, or null where none waits. The stream may be handed to any shard. An error (no descriptors
  // left) leaves the connection waiting: try again after a while, not at once.
  virtual base::Result<std::unique_ptr<DetachedStream>> try_accept() = 0;
  virtual void notify_acceptable(base::Signal* signal) = 0;
  virtual uint16_t port() const = 0;  // the bound one, where 0 was asked for
};

}  // namespace stele::io
