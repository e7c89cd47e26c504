// A real server connection: whatever bytes come, in whatever pieces, the broker answers or closes, keeps nothing of it,
// and goes on serving another client.
#include "base/check.h"
#include "fuzz/input.h"
#include "fuzz/target.h"
#include "sim/broker_world.h"
#include "sim/client.h"
#include "wire/metadata_request.h"
#include "wire/metadata_response.h"

namespace stele::fuzz {

namespace {

using base::Task;
using std::chrono::milliseconds;
using std::chrono::seconds;

Task<void> make_topic(io::Shard& shard) {
  const auto client = co_await sim::connect_patiently(shard);
  STELE_CHECK(co_await client->create_topic("t", 2) == 0);
}

Task<void> drain(std::shared_ptr<sim::Client> client) {
  while (co_await client->receive()) {
  }
}

// | length, its highest bit: without a frame's own length | bytes | ...
Task<void> attack(io::Shard& shard, Input input) {
  const std::shared_ptr<sim::Client> client = co_await sim::connect_patiently(shard);
  base::TaskScope reading{shard.executor(), [](std::exception_ptr) {}};
  reading.spawn(drain(client));
  while (!input.empty()) {
    const uint16_t head = input.number();
    const base::Bytes content = input.take(head & 0x0fff);
    base::ByteVector bytes;
    if ((head & 0x8000) == 0) base::append_be(bytes, static_cast<int32_t>(content.size()));
    base::append(bytes, content);
    if (!co_await client->send(std::move(bytes))) break;
    const milliseconds pause{(head >> 12) & 7};
    if (pause.count() > 0) co_await io::sleep_until(shard, shard.clock().now() + pause);
  }
  co_await io::sleep_until(shard, shard.clock().now() + milliseconds{50});
}

Task<void> stand_by(io::Shard& shard, bool& served) {
  const auto client = co_await sim::connect_patiently(shard);
  const auto answer = co_await client->call<wire::MetadataResponse>(wire::MetadataRequest{}, 1);
  served = static_cast<bool>(answer);
}

}  // namespace

// | seed | attack
void connection(base::Bytes bytes) {
  Input input{bytes};
  const uint8_t seed = input.byte();
  sim::BrokerWorld world{{.seed = seed,
                          .shards = 1U + seed % 3,
                          .config = {{"socket.request.max.bytes", "100000"},
                                     {"stele.memory.data.bytes", "1048576"},
                                     {"stele.memory.control.bytes", "1048576"},
                                     {"stele.memory.groups.bytes", "1048576"},
                                     {"offsets.topic.num.partitions", "1"}}}};
  world.start();
  STELE_CHECK(world.run(make_topic));
  STELE_CHECK(world.run([&](io::Shard& shard) { return attack(shard, input); }, seconds{600}), "the attack never ends");
  STELE_CHECK(world.run_until([&] { return world.connections() == 0; }, seconds{700}), "a connection stays");
  STELE_CHECK(world.run_until([&] { return world.bytes_charged() == 0; }, seconds{60}), "{} bytes stay charged",
              world.bytes_charged());
  bool served = false;
  STELE_CHECK(world.run([&](io::Shard& shard) { return stand_by(shard, served); }, seconds{60}) && served,
              "another client is not served");
}

}  // namespace stele::fuzz
