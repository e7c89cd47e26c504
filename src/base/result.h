// Errors are values: Result<T> holds a T or an Error with Kafka's code and a sentence for a person.
#pragma once

#include <expected>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/error_code.h"

namespace stele::base {

struct Error {
  ErrorCode code = ErrorCode::kUnknownServerError;
  std::string message;
  int os_error = 0;  // errno where a system call failed, else 0

  Error() = default;
  Error(ErrorCode error_code, std::string text, int os = 0)
      : code(error_code), message(std::move(text)), os_error(os) {}
};

template <class T = void>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : state_(std::move(value)) {}                       // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::unexpected(std::move(error))) {}  // NOLINT(google-explicit-constructor)
  Result(ErrorCode code, std::string text) : state_(std::unexpected(Error{code, std::move(text)})) {}

  bool ok() const { return state_.has_value(); }
  explicit operator bool() const { return ok(); }
  T& value() & {
    STELE_CHECK(ok(), "{}", state_.error().message);
    return *state_;
  }
  const T& value() const& {
    STELE_CHECK(ok(), "{}", state_.error().message);
    return *state_;
  }
  T&& value() && {
    STELE_CHECK(ok(), "{}", state_.error().message);
    return *std::move(state_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const& {
    STELE_CHECK(!ok());
    return state_.error();
  }
  Error&& error() && {
    STELE_CHECK(!ok());
    return std::move(state_).error();
  }
  ErrorCode code() const { return ok() ? ErrorCode::kNone : state_.error().code; }

 private:
  std::expected<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Error error) : state_(std::unexpected(std::move(error))) {}  // NOLINT(google-explicit-constructor)
  Result(ErrorCode code, std::string text) : state_(std::unexpected(Error{code, std::move(text)})) {}

  bool ok() const { return state_.has_value(); }
  explicit operator bool() const { return ok(); }
  void value() const { STELE_CHECK(ok(), "{}", state_.error().message); }
  const Error& error() const& {
    STELE_CHECK(!ok());
    return state_.error();
  }
  Error&& error() && {
    STELE_CHECK(!ok());
    return std::move(state_).error();
  }
  ErrorCode code() const { return ok() ? ErrorCode::kNone : state_.error().code; }

 private:
  std::expected<void, Error> state_;
};

}  // namespace stele::base

// TRY(expr): leaves the function with the error of a failed Result. TRY_ASSIGN(auto x, expr): and binds its value.
// CO_ forms are the same in a coroutine, where expr may be `co_await f()`.
#define STELE_CONCAT_INNER(a, b) a##b
#define STELE_CONCAT(a, b) STELE_CONCAT_INNER(a, b)
#define STELE_TRY_IMPL(ret, tmp, expr) \
  do {                                 \
    auto tmp = (expr);                 \
    if (!tmp.ok()) [[unlikely]] {      \
      ret std::move(tmp).error();      \
    }                                  \
  } while (false)
#define STELE_TRY_ASSIGN_IMPL(ret, tmp, decl, expr) \
  auto tmp = (expr);                                \
  if (!tmp.ok()) [[unlikely]] {                     \
    ret std::move(tmp).error();                     \
  }                                                 \
  decl = std::move(tmp).value()
#define STELE_TRY(expr) STELE_TRY_IMPL(return, STELE_CONCAT(try_, __COUNTER__), expr)
#define STELE_TRY_ASSIGN(decl, expr) STELE_TRY_ASSIGN_IMPL(return, STELE_CONCAT(try_, __COUNTER__), decl, expr)
#define STELE_CO_TRY(expr) STELE_TRY_IMPL(co_return, STELE_CONCAT(try_, __COUNTER__), expr)
#define STELE_CO_TRY_ASSIGN(decl, expr) STELE_TRY_ASSIGN_IMPL(co_return, STELE_CONCAT(try_, __COUNTER__), decl, expr)
