// The readers: each reads every partition of a topic on a connection of its own, as a consumer does, one fetch under
// way.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "load/inbox.h"
#include "load/phase.h"

namespace stele::bench {

struct FetchOptions {
  std::string address;
  std::string topic;
  int32_t partitions = 8;
  int readers = 1;
  int32_t partition_bytes = 1 << 20;  // a consumer's defaults
  int32_t answer_bytes = 50 << 20;
  bool tail = false;   // from the end on, waiting for what comes; else from the start to today's end, again and again
  bool check = false;  // the checksum of every batch
  pid_t pid = 0;
};

class Readers {
 public:
  Readers(const FetchOptions& options, std::vector<int64_t> starts, std::vector<int64_t> ends);
  ~Readers();
  Readers(const Readers&) = delete;
  Readers& operator=(const Readers&) = delete;

  // Until `bytes` of batches are read, and `seconds` are over if that is not 0, whichever is first.
  void run(int64_t bytes, double seconds, Phase& out);
  // Each reader from start to end once.
  void pass(Phase& out);

 private:
  struct Reader {
    int fd = -1;
    std::vector<int64_t> positions;
    int64_t asked_at = 0;
    int32_t correlation = 0;
    size_t first = 0;  // the partition that is asked for first: it goes round, as in a consumer
    bool done = false;
    base::ByteVector frame;
    Inbox inbox;
  };

  void loop(int64_t bytes, int64_t deadline, bool once, Phase& out);
  void ask(Reader& reader, bool once);
  void take(Reader& reader, base::Bytes answer, Phase& out);
  void walk(int64_t& position, base::Bytes records, Phase& out) const;

  FetchOptions options_;
  std::vector<int64_t> starts_, ends_;
  std::vector<Reader> readers_;
  int epoll_;
};

}  // namespace stele::bench
