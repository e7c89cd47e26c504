// Connections of a simulated world: bytes travel as events, arrive in order, and are read in pieces that the seed cuts.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "io/sim/event_queue.h"
#include "io/sim/faults.h"
#include "io/stream.h"

namespace stele::io {

class SimNetwork {
 public:
  SimNetwork(EventQueue& events, uint64_t seed);
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;
  ~SimNetwork();

  // A name and the address that belongs to it, "10.0.0.1" for the first.
  void add_host(const std::string& name);

  // Between any two hosts, whatever was set for a pair; what a host sends to itself is left alone.
  void set_faults(const NetworkFaults& faults);
  // For what `from` sends to `to`.
  void set_faults(const std::string& from, const std::string& to, const NetworkFaults& faults);
  const NetworkFaults& faults(const std::string& from, const std::string& to) { return faults_of(from, to); }
  // One direction, with its other faults as they are.
  void set_cut_off(const std::string& from, const std::string& to, bool cut_off);
  // Adds how often each kind of fault was asked for and came true, as "net.reset".
  void count(std::map<std::string, BranchCount>& counts) const;

  // The host's kernel is gone without a farewell: its peers learn of it when they write after its return, or never.
  void lose_power(const std::string& host);
  void regain_power(const std::string& host) { without_power_.erase(host); }

  base::Result<std::unique_ptr<Listener>> listen(const std::string& own_host, const Endpoint& endpoint);

  using Connected = std::move_only_function<void(base::Result<std::unique_ptr<Stream>>)>;
  // Calls `connected` in a later event.
  void connect(const std::string& own_host, const Endpoint& endpoint, Connected connected);

  static std::unique_ptr<Stream> adopt(std::unique_ptr<DetachedStream> stream);
  static std::unique_ptr<DetachedStream> detach(std::unique_ptr<Stream> stream);

 private:
  friend class SimStream;
  friend class SimListener;
  struct Connection;
  struct Link;  // one direction between two hosts
  struct ListenerState;
  using Place = std::pair<std::string, uint16_t>;

  // The host's name, or empty where nobody has it.
  std::string resolve(const std::string& own_host, const std::string& host) const;
  Link& link(const std::string& from, const std::string& to);
  const NetworkFaults& faults_of(const std::string& from, const std::string& to);
  void establish(const std::string& own_host, const std::string& host, uint16_t port, Connected connected);
  void heal(Link& link);
  uint16_t free_port() { return next_port_++; }

  EventQueue& events_;
  uint64_t seed_;
  NetworkFaults faults_;
  std::map<std::string, std::string> addresses_;  // by name
  std::map<std::pair<std::string, std::string>, std::unique_ptr<Link>> links_;
  std::map<Place, std::shared_ptr<ListenerState>> listeners_;
  std::vector<std::weak_ptr<Connection>> connections_;
  size_t connections_looked_at_ = 16;  // so many, and those that have gone are forgotten
  std::set<std::string> without_power_;
  uint16_t next_port_ = 32768;
};

}  // namespace stele::io
