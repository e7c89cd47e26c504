// Connections of a simulated world: bytes travel as events, arrive in order, and are read in pieces that the seed cuts.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/random.h"
#include "base/result.h"
#include "io/sim/event_queue.h"
#include "io/stream.h"

namespace stele::io {

class SimNetwork {
 public:
  SimNetwork(EventQueue& events, uint64_t seed) : events_(events), random_(seed) {}
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  // A name and the address that belongs to it, "10.0.0.1" for the first.
  void add_host(const std::string& name);

  base::Result<std::unique_ptr<Listener>> listen(const std::string& own_host, const Endpoint& endpoint);

  using Connected = std::move_only_function<void(base::Result<std::unique_ptr<Stream>>)>;
  // Calls `connected` in a later event.
  void connect(const std::string& own_host, const Endpoint& endpoint, Connected connected);

  static std::unique_ptr<Stream> adopt(std::unique_ptr<DetachedStream> stream);
  static std::unique_ptr<DetachedStream> detach(std::unique_ptr<Stream> stream);

 private:
  friend class SimStream;
  friend class SimListener;
  struct ListenerState;
  using Place = std::pair<std::string, uint16_t>;

  // The host's name, or empty where nobody has it.
  std::string resolve(const std::string& own_host, const std::string& host) const;
  base::Duration latency();
  uint16_t free_port() { return next_port_++; }

  EventQueue& events_;
  base::SeededRandom random_;
  std::map<std::string, std::string> addresses_;  // by name
  std::map<Place, std::shared_ptr<ListenerState>> listeners_;
  uint16_t next_port_ = 32768;
};

}  // namespace stele::io
