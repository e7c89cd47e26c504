// Requests and answers of the few APIs that a load needs, written by hand, so that the load is independent of the
// broker's codecs: Produce 7, Fetch 11, ListOffsets 2, Metadata 4, CreateTopics 4, DeleteTopics 3; none has flexible
// fields.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "load/process.h"

namespace stele::bench {

inline constexpr size_t kFrameHead = 12;  // length, API key, version, correlation id: what differs between sendings
inline constexpr size_t kCorrelationAt = 8;

// A request: length, header version 1, then what is put.
class FrameWriter {
 public:
  FrameWriter(int16_t api, int16_t version);
  template <class T>
  FrameWriter& put(T value) {
    base::append_be(bytes_, value);
    return *this;
  }
  FrameWriter& text(std::string_view value);
  FrameWriter& null_text() { return put(int16_t{-1}); }
  FrameWriter& raw(base::Bytes bytes);  // with its length before it
  base::ByteVector done() &&;

 private:
  base::ByteVector bytes_;
};

// Reads an answer; a field that is not there ends the program.
class FrameReader {
 public:
  explicit FrameReader(base::Bytes bytes) : bytes_(bytes) {}
  template <class T>
  T get() {
    need(sizeof(T));
    const T value = base::load_be<T>(bytes_.data() + at_);
    at_ += sizeof(T);
    return value;
  }
  std::string_view text();
  base::Bytes skip(size_t count) {
    need(count);
    at_ += count;
    return bytes_.subspan(at_ - count, count);
  }
  size_t left() const { return bytes_.size() - at_; }

 private:
  void need(size_t count) const {
    if (left() < count) fail("an answer is cut short");
  }
  base::Bytes bytes_;
  size_t at_ = 0;
};

// One blocking connection, one request at a time: for what is not measured.
class Caller {
 public:
  explicit Caller(const std::string& address);
  ~Caller();
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;
  // The answer without length and correlation id; valid until the next call.
  base::Bytes call(base::ByteVector frame);

 private:
  int fd_;
  base::ByteVector answer_;
};

// A connected socket with TCP_NODELAY; -1 where the peer refuses.
int try_connect(const std::string& address);
int connect_to(const std::string& address);

struct TopicOptions {
  std::string name;
  int32_t partitions = 8;
  std::vector<std::pair<std::string, std::string>> configs;
};
// Creates the topics in one request and waits until every partition answers. An error ends the program.
void create_topics(Caller& caller, const std::vector<TopicOptions>& topics, bool wait = true);
void delete_topic(Caller& caller, const std::string& name);
void wait_for_leaders(Caller& caller, const std::string& topic, int32_t partitions);
// Start (`timestamp` -2) or end (-1) of each partition.
std::vector<int64_t> offsets(Caller& caller, const std::string& topic, int32_t partitions, int64_t timestamp);
// Partitions of the topic; 0 where it is not there.
int32_t partitions_of(Caller& caller, const std::string& topic);

}  // namespace stele::bench
