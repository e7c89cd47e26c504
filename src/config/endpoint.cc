#include "config/endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace stele::config {
namespace {

struct HostPort {
  std::string host;
  int32_t port = 0;
};

std::optional<int32_t> parse_int(std::string_view text) {
  int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<HostPort> parse_host_port(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::optional<int32_t> port = parse_int(text.substr(colon + 1));
  if (!port || *port < 0 || *port > 65535) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') != host.ends_with(']')) return std::nullopt;
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  const bool clean = std::ranges::all_of(host, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-%._:").find(c) != std::string_view::npos;
  });
  if (!clean) return std::nullopt;
  return HostPort{std::string(host), *port};
}

}  // namespace

base::Result<Endpoint> parse_endpoint(std::string_view text) {
  const size_t mark = text.find("://");
  const std::optional<HostPort> address =
      mark == std::string_view::npos || mark == 0 ? std::nullopt : parse_host_port(text.substr(mark + 3));
  if (!address) {
    return base::Error{base::ErrorCode::kInvalidConfig,
                       fmt::format("'{}' is no listener; write NAME://host:port, for example PLAINTEXT://:9092", text)};
  }
  Endpoint endpoint{std::string(text.substr(0, mark)), address->host, address->port};
  std::ranges::transform(endpoint.listener, endpoint.listener.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return endpoint;
}

base::Result<Voter> parse_voter(std::string_view text) {
  const size_t at = text.find('@');
  const std::optional<int32_t> id = at == std::string_view::npos ? std::nullopt : parse_int(text.substr(0, at));
  const std::optional<HostPort> address = id ? parse_host_port(text.substr(at + 1)) : std::nullopt;
  if (!address || *id < 0) {
    return base::Error{base::ErrorCode::kInvalidConfig,
                       fmt::format("'{}' is no voter; write id@host:port, for example 1@localhost:9093", text)};
  }
  return Voter{*id, address->host, address->port};
}

std::string to_text(const Endpoint& endpoint) {
  const bool ipv6 = endpoint.host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", endpoint.listener, ipv6 ? "[" : "", endpoint.host, ipv6 ? "]" : "",
                     endpoint.port);
}

}  // namespace stele::config
