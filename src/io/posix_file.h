// Files and directories of the machine.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "base/task.h"
#include "io/file.h"
#include "io/shard.h"

namespace stele::io {

// The ports of shard.h. The shard outlives the directory and all that is opened through it.
base::Task<base::Result<std::unique_ptr<Directory>>> open_posix_directory(Shard& shard, std::string path, bool create);

// Of a file that was opened here. Whether the bytes, all of which the file has, are in the page cache; counts where
// they are not.
bool in_page_cache(const SharedFile& file, uint64_t offset, size_t bytes);
int descriptor_of(const SharedFile& file);

}  // namespace stele::io
