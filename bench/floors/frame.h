// What both floors do with a frame: walk its Produce request, check each batch's crc32c, collect the batches' bytes,
// write the answer.
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/crc32c.h"

namespace stele::floors {

inline constexpr size_t kHeadOfBatch = 21;  // what the checksum does not cover

// Where a fetch would find the next record of each partition: answers carry true offsets, as a broker's do.
struct Ends {
  std::atomic<int64_t> next[4096] = {};
};

class Cursor {
 public:
  explicit Cursor(base::Bytes bytes) : bytes_(bytes) {}
  template <class T>
  T get() {
    return base::load_be<T>(skip(sizeof(T)).data());
  }
  base::Bytes skip(size_t count) {
    if (bytes_.size() < count) throw 0;  // the floors end on a bad frame
    const base::Bytes head = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return head;
  }
  base::Bytes text() {
    const auto size = get<int16_t>();
    return size < 0 ? base::Bytes{} : skip(static_cast<size_t>(size));
  }

 private:
  base::Bytes bytes_;
};

// `frame` is a Produce 7 request without its length. Appends its batches to `writes` (views into `frame`) and the whole
// answer to `answer`.
inline void take_frame(base::Bytes frame, Ends& ends, std::vector<iovec>& writes, base::ByteVector& answer) {
  Cursor in(frame);
  in.skip(4);  // API and version: the load sends nothing else
  const size_t start = answer.size();
  base::append_be(answer, int32_t{0});
  base::append_be(answer, in.get<int32_t>());
  in.text();
  in.text();
  in.skip(6);
  const auto topics = in.get<int32_t>();
  base::append_be(answer, topics);
  for (int32_t t = 0; t < topics; ++t) {
    const base::Bytes name = in.text();
    base::append_be(answer, static_cast<int16_t>(name.size()));
    base::append(answer, name);
    const auto partitions = in.get<int32_t>();
    base::append_be(answer, partitions);
    for (int32_t p = 0; p < partitions; ++p) {
      const auto index = in.get<int32_t>();
      const base::Bytes batch = in.skip(static_cast<size_t>(in.get<int32_t>()));
      const bool good = base::crc32c(batch.subspan(kHeadOfBatch)) == base::load_be<uint32_t>(batch.data() + 17);
      const int64_t offset = ends.next[index & 4095].fetch_add(base::load_be<int32_t>(batch.data() + 57));
      base::append_be(answer, index);
      base::append_be(answer, good ? int16_t{0} : int16_t{2});
      base::append_be(answer, offset);
      base::append_be(answer, int64_t{-1});
      base::append_be(answer, int64_t{0});
      writes.push_back({const_cast<std::byte*>(batch.data()), batch.size()});  // NOLINT: only read
    }
  }
  base::append_be(answer, int32_t{0});
  base::store_be(answer.data() + start, static_cast<int32_t>(answer.size() - start - 4));
}

// A listening socket on the loopback interface. Ends the program where it cannot be had.
int listen_on(int port);
int accept_one(int listener);
int open_file(const char* path);

}  // namespace stele::floors
