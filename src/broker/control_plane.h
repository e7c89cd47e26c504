// What the shards ask of the part of the broker that lives on the control shard.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/task.h"
#include "broker/hosting.h"

namespace stele::broker {

class ControllerHost;
class LogDirs;

// Used on kControlShard only.
class ControlPlane {
 public:
  virtual ~ControlPlane() = default;
  // Creates those of the topics that do not exist, with the defaults of the broker (of the internal topic, for such a
  // name). Once it returns they are hosted and every shard knows them. Answers why for each that could not be created.
  virtual base::Task<std::map<std::string, base::Error>> create_missing(std::vector<std::string> topics) = 0;
  // A producer id that nobody else has or had.
  virtual base::Task<base::Result<base::ProducerId>> next_producer_id() = 0;
  // Returns once every shard knows, and hosts, what the controller has committed before the call.
  virtual base::Task<void> catch_up() = 0;
  // How every partition of this broker stands.
  virtual base::Task<std::vector<Standing>> standings() = 0;
  virtual ControllerHost& controller() = 0;
  virtual LogDirs& log_dirs() = 0;
};

}  // namespace stele::broker
