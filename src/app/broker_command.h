// `stele broker`: one broker in this process, from its configuration to its clean stop.
#pragma once

#include <string>

namespace stele::app {

struct BrokerArguments {
  std::string config_path;  // server.properties; empty: Kafka's defaults for one node
  bool json = false;        // log lines and the start line as JSON
  std::string data_dir;     // where the data goes instead of log.dirs; only without a file
};

// What the process exits with, so that a supervisor can tell what to mend.
inline constexpr int kExitStopped = 0;
inline constexpr int kExitFailed = 1;  // the metadata log or the last log dir failed while the broker ran
inline constexpr int kExitConfig = 3;
inline constexpr int kExitPort = 4;  // a listener cannot be bound
inline constexpr int kExitLock = 5;  // another process uses a log dir
inline constexpr int kExitDisk = 6;

// Returns once the broker has stopped: after SIGTERM or SIGINT, or when it cannot start or go on.
int run_broker(const BrokerArguments& arguments);

}  // namespace stele::app
