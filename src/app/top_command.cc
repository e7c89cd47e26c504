// stele top: what a broker does, live, from two looks at its GET /stats.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>

#include "app/address.h"
#include "app/command.h"
#include "app/common_options.h"
#include "app/shard_work.h"
#include "app/stats.h"
#include "app/top_view.h"

namespace stele::app {

namespace {

constexpr uint16_t kDefaultHttpPort = 9644;
constexpr size_t kAnswerBytesMax = size_t{64} << 20;
constexpr base::Duration kAnswerWait = std::chrono::seconds{10};
constexpr std::string_view kClearScreen = "\x1b[H\x1b[2J";

struct TopArguments {
  std::string http = fmt::format("localhost:{}", kDefaultHttpPort);
  double interval_seconds = 2;
  int64_t times = 0;
  TopOptions options;
  bool json = false;
};

base::Error no_answer(const Address& address, std::string_view why) {
  return {base::ErrorCode::kNetworkException,
          fmt::format("{} gave no answer to GET /stats: {} (is it the stele.http.port of a broker?)",
                      address.to_string(), why)};
}

base::Result<std::string> body_of(const Address& address, const std::string& answer) {
  const size_t end = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.1 200 ") || end == std::string::npos) {
    return no_answer(address, "what it said is not HTTP, or no good news");
  }
  return answer.substr(end + 4);
}

// One request on a connection of its own, which the broker closes behind the answer.
base::Task<base::Result<std::string>> get_stats(io::Shard& shard, Address address) {
  STELE_CO_TRY_ASSIGN(const std::unique_ptr<io::Stream> stream, co_await shard.connect({address.host, address.port}));
  const std::string request = "GET /stats HTTP/1.1\r\nHost: stele\r\nConnection: close\r\n\r\n";
  const iovec whole{const_cast<char*>(request.data()), request.size()};  // NOLINT: iovec is for reads too
  if (stream->try_write({&whole, 1}).bytes != request.size()) co_return no_answer(address, "it takes no request");
  const base::MonoTime deadline = shard.clock().now() + kAnswerWait;
  const auto timer = shard.make_timer();
  base::Signal readable{shard.executor()};
  std::string answer;
  while (answer.size() < kAnswerBytesMax) {
    std::array<char, 65536> some;
    const iovec into{some.data(), some.size()};
    const io::TransferResult got = stream->try_read({&into, 1});
    if (got.status == io::Transfer::kDone) {
      answer.append(some.data(), got.bytes);
    } else if (got.status != io::Transfer::kWouldBlock) {
      co_return body_of(address, answer);
    } else if (shard.clock().now() >= deadline) {
      break;
    } else {
      stream->notify_readable(&readable);
      timer->arm(deadline, readable);
      co_await readable.wait();
    }
  }
  stream->notify_readable(nullptr);
  co_return no_answer(address, "its answer does not end");
}

base::Task<base::Result<Stats>> look(io::Shard& shard, Address address) {
  STELE_CO_TRY_ASSIGN(const std::string text, co_await get_stats(shard, address));
  auto stats = parse_stats(text);
  if (!stats.ok()) co_return no_answer(address, "its answer is of another version of Stele");
  co_return stats;
}

base::Task<int> show(io::Shard& shard, const TopArguments& arguments, Address address) {
  const auto interval = std::chrono::duration_cast<base::Duration>(
      std::chrono::duration<double>(std::max(arguments.interval_seconds, 0.1)));
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  auto earlier = co_await look(shard, address);
  for (int64_t shown = 0; earlier.ok() && (arguments.times == 0 || shown < arguments.times);) {
    co_await io::sleep_until(shard, shard.clock().now() + interval);
    auto later = co_await look(shard, address);
    if (!later.ok()) co_return report(later.error(), arguments.json);
    if (comparable(*earlier, *later)) {
      ++shown;
      if (arguments.json) {
        print_line(top_json(*earlier, *later, arguments.options));
      } else {
        print_line(fmt::format("{}{}", terminal ? kClearScreen : "", top_text(*earlier, *later, arguments.options)));
      }
      std::fflush(stdout);
    }
    earlier = std::move(later);
  }
  if (!earlier.ok()) co_return report(earlier.error(), arguments.json);
  co_return kExitOk;
}

}  // namespace

void add_top_command(CLI::App& program, Chosen& chosen) {
  auto arguments = std::make_shared<TopArguments>();
  CLI::App* top = program.add_subcommand("top", "Watch what a broker does: shards, APIs, topics, slow partitions");
  top->add_option("--http", arguments->http, "stele.http.host:stele.http.port of the broker")->capture_default_str();
  top->add_option("-i,--interval", arguments->interval_seconds, "seconds between two looks")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  top->add_option("-n,--times", arguments->times, "how often to show, then end; 0: until interrupted")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  top->add_option("--rows", arguments->options.rows, "rows of topics and of slow partitions, at most")
      ->capture_default_str();
  add_json_option(*top, arguments->json);
  top->callback([&chosen, arguments] {
    chosen = [arguments] {
      const auto addresses = parse_addresses(arguments->http);
      if (!addresses.ok()) return report_usage(addresses.error().message, arguments->json);
      const Address& address = addresses->front();
      return run_on_shard([&](io::Shard& shard) { return show(shard, *arguments, address); });
    };
  });
}

}  // namespace stele::app
