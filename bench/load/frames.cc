#include "load/frames.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace stele::bench {

namespace {

constexpr int16_t kListOffsets = 2, kMetadata = 3, kCreateTopics = 19, kDeleteTopics = 20;
constexpr int64_t kReadyWithinNs = 300'000'000'000;

void send_all(int fd, base::Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) fail("the connection broke while sending");
    bytes = bytes.subspan(static_cast<size_t>(sent));
  }
}

void receive_all(int fd, base::MutableBytes bytes) {
  while (!bytes.empty()) {
    const ssize_t got = ::recv(fd, bytes.data(), bytes.size(), 0);
    if (got <= 0) fail("the connection broke while an answer was due");
    bytes = bytes.subspan(static_cast<size_t>(got));
  }
}

void pause_ms(int64_t milliseconds) {
  const timespec time{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  ::nanosleep(&time, nullptr);
}

}  // namespace

FrameWriter::FrameWriter(int16_t api, int16_t version) {
  put(int32_t{0}).put(api).put(version).put(int32_t{0}).text("load");
}

FrameWriter& FrameWriter::text(std::string_view value) {
  put(static_cast<int16_t>(value.size()));
  base::append(bytes_, base::as_bytes(value));
  return *this;
}

FrameWriter& FrameWriter::raw(base::Bytes bytes) {
  put(static_cast<int32_t>(bytes.size()));
  base::append(bytes_, bytes);
  return *this;
}

base::ByteVector FrameWriter::done() && {
  base::store_be(bytes_.data(), static_cast<int32_t>(bytes_.size() - 4));
  return std::move(bytes_);
}

std::string_view FrameReader::text() {
  const auto size = get<int16_t>();
  return size < 0 ? std::string_view{} : base::as_text(skip(static_cast<size_t>(size)));
}

int try_connect(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) fail("an address is host:port");
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::atoi(address.c_str() + colon + 1)));
  if (::inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr) != 1) fail("the host is an IPv4 address");
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail(fmt::format("socket: {}", std::strerror(errno)));
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {  // NOLINT: the sockets' own form
    ::close(fd);
    return -1;
  }
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

int connect_to(const std::string& address) {
  const int fd = try_connect(address);
  if (fd < 0) fail(fmt::format("connect to {}: {}", address, std::strerror(errno)));
  return fd;
}

Caller::Caller(const std::string& address) : fd_(connect_to(address)) {}
Caller::~Caller() { ::close(fd_); }

base::Bytes Caller::call(base::ByteVector frame) {
  send_all(fd_, frame);
  answer_.resize(4);
  receive_all(fd_, answer_);
  const auto size = base::load_be<int32_t>(answer_.data());
  if (size < 4) fail("an answer without header");
  answer_.resize(static_cast<size_t>(size));
  receive_all(fd_, answer_);
  return base::Bytes{answer_}.subspan(4);
}

void create_topics(Caller& caller, const std::vector<TopicOptions>& topics, bool wait) {
  FrameWriter frame(kCreateTopics, 4);
  frame.put(static_cast<int32_t>(topics.size()));
  for (const TopicOptions& topic : topics) {
    frame.text(topic.name).put(topic.partitions).put(int16_t{1}).put(int32_t{0});
    frame.put(static_cast<int32_t>(topic.configs.size()));
    for (const auto& [name, value] : topic.configs) frame.text(name).text(value);
  }
  frame.put(int32_t{120'000}).put(int8_t{0});
  FrameReader answer(caller.call(std::move(frame).done()));
  answer.get<int32_t>();
  const auto count = answer.get<int32_t>();
  for (int32_t i = 0; i < count; ++i) {
    const std::string name{answer.text()};
    const auto error = answer.get<int16_t>();
    const std::string why{answer.text()};
    if (error != 0) fail(fmt::format("creating {}: error {} {}", name, error, why));
  }
  if (!wait) return;
  for (const TopicOptions& topic : topics) wait_for_leaders(caller, topic.name, topic.partitions);
}

void delete_topic(Caller& caller, const std::string& name) {
  FrameWriter frame(kDeleteTopics, 3);
  frame.put(int32_t{1}).text(name).put(int32_t{60'000});
  FrameReader answer(caller.call(std::move(frame).done()));
  answer.get<int32_t>();
  if (answer.get<int32_t>() != 1) fail("DeleteTopics answers for another number of topics");
  answer.text();
  if (const auto error = answer.get<int16_t>()) fail(fmt::format("deleting {}: error {}", name, error));
}

namespace {

// How many partitions the topic has, and whether each has a leader.
std::pair<int32_t, bool> led(Caller& caller, const std::string& topic) {
  FrameWriter frame(kMetadata, 4);
  frame.put(int32_t{1}).text(topic).put(int8_t{0});
  FrameReader answer(caller.call(std::move(frame).done()));
  answer.get<int32_t>();
  for (auto brokers = answer.get<int32_t>(); brokers > 0; --brokers) {
    answer.get<int32_t>();
    answer.text();
    answer.get<int32_t>();
    answer.text();
  }
  answer.text();
  answer.get<int32_t>();
  if (answer.get<int32_t>() != 1 || answer.get<int16_t>() != 0) return {0, false};
  answer.text();
  answer.get<int8_t>();
  const auto partitions = answer.get<int32_t>();
  bool all = true;
  for (int32_t i = 0; i < partitions; ++i) {
    all = answer.get<int16_t>() == 0 && all;
    answer.get<int32_t>();
    all = answer.get<int32_t>() >= 0 && all;
    for (int list = 0; list < 2; ++list) answer.skip(4 * static_cast<size_t>(answer.get<int32_t>()));
  }
  return {partitions, all};
}

// Empty where a partition answers with an error.
std::vector<int64_t> try_offsets(Caller& caller, const std::string& topic, int32_t partitions, int64_t timestamp) {
  FrameWriter frame(kListOffsets, 2);
  frame.put(int32_t{-1}).put(int8_t{0}).put(int32_t{1}).text(topic).put(partitions);
  for (int32_t i = 0; i < partitions; ++i) frame.put(i).put(timestamp);
  FrameReader answer(caller.call(std::move(frame).done()));
  std::vector<int64_t> found(static_cast<size_t>(partitions), -1);
  answer.get<int32_t>();
  if (answer.get<int32_t>() != 1) return {};
  answer.text();
  for (auto left = answer.get<int32_t>(); left > 0; --left) {
    const auto partition = answer.get<int32_t>();
    const auto error = answer.get<int16_t>();
    answer.get<int64_t>();
    const auto offset = answer.get<int64_t>();
    if (error != 0 || partition < 0 || partition >= partitions) return {};
    found[static_cast<size_t>(partition)] = offset;
  }
  return found;
}

}  // namespace

int32_t partitions_of(Caller& caller, const std::string& topic) { return led(caller, topic).first; }

void wait_for_leaders(Caller& caller, const std::string& topic, int32_t partitions) {
  const int64_t deadline = now_ns() + kReadyWithinNs;
  while (now_ns() < deadline) {
    const auto [count, all] = led(caller, topic);
    if (count == partitions && all && !try_offsets(caller, topic, partitions, -1).empty()) return;
    pause_ms(10);
  }
  fail("no leader for every partition of " + topic);
}

std::vector<int64_t> offsets(Caller& caller, const std::string& topic, int32_t partitions, int64_t timestamp) {
  std::vector<int64_t> found = try_offsets(caller, topic, partitions, timestamp);
  if (found.empty()) fail("ListOffsets refuses a partition of " + topic);
  return found;
}

}  // namespace stele::bench
