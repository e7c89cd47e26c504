// The text that Prometheus reads (exposition format 0.0.4): metric by metric, sample by sample.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace stele::admin {

inline constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

class MetricsText {
 public:
  using Label = std::pair<std::string_view, std::string_view>;
  using Labels = std::initializer_list<Label>;

  // What follows are its samples. A name is begun once: whoever adds to the text keeps the samples of a metric
  // together.
  void gauge(std::string_view name, std::string_view help) { begin(name, help, "gauge"); }
  // Only rises, from 0 at the start of the process. The name ends in "_total".
  void counter(std::string_view name, std::string_view help) { begin(name, help, "counter"); }
  // Quantiles, as samples with the label "quantile", then _sum and _count of all.
  void summary(std::string_view name, std::string_view help) { begin(name, help, "summary"); }
  void sample(uint64_t value, Labels labels = {});
  void sample(double value, Labels labels = {});
  void sample_sum(double value, Labels labels);
  void sample_count(uint64_t value, Labels labels);
  const std::string& text() const { return text_; }

 private:
  void add(std::string_view suffix, const std::string& value, Labels labels);
  void begin(std::string_view name, std::string_view help, std::string_view type);

  std::string name_;
  std::string text_;
};

}  // namespace stele::admin
