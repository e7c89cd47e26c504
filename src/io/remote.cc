#include "io/remote.h"

namespace stele::io {

void ShardHome::on_fault(std::exception_ptr fault) {
  try {
    std::rethrow_exception(fault);
  } catch (const std::exception& error) {
    shard.log().error("shard {}: a task failed: {}", shard.id().value(), error.what());
  }
}

}  // namespace stele::io
