#include "admin/broker_metrics.h"

#include <functional>

namespace stele::admin {

namespace {

using broker::DirStatus;

// One gauge or counter for each dir.
struct PerDir {
  const char* name;
  const char* help;
  bool counter;
  uint64_t (*value)(const DirStatus&);
};

constexpr PerDir kPerDir[] = {
    {"kafka_log_logmanager_remaininglogstorecover", "Partitions of the log dir that are not open yet.", false,
     [](const DirStatus& dir) { return uint64_t{dir.opening.total - dir.opening.done}; }},
    {"stele_log_dir_online", "1 while the log dir is in use, 0 once it failed.", false,
     [](const DirStatus& dir) { return uint64_t{dir.online ? 1U : 0U}; }},
    {"stele_log_dir_space_level",
     "0: enough space; 1: near full, records are refused; 2: the reserve is used, committed offsets are refused too.",
     false, [](const DirStatus& dir) { return static_cast<uint64_t>(dir.level); }},
    {"stele_log_dir_free_bytes", "Bytes free on the file system of the log dir.", false,
     [](const DirStatus& dir) { return dir.space.usable_bytes; }},
    {"stele_log_dir_total_bytes", "Size of the file system of the log dir.", false,
     [](const DirStatus& dir) { return dir.space.total_bytes; }},
    {"stele_log_dir_free_limit_bytes", "Free bytes below which records are refused (stele.log.dir.min.free.bytes).",
     false, [](const DirStatus& dir) { return dir.space_limit; }},
    {"stele_log_dir_log_bytes", "Bytes of batches in the partitions of the log dir.", false,
     [](const DirStatus& dir) { return dir.counts.bytes; }},
    {"stele_log_dir_partitions", "Partitions in the log dir, those that could not be opened included.", false,
     [](const DirStatus& dir) { return uint64_t{dir.counts.partitions}; }},
    {"stele_log_dir_partitions_offline", "Partitions of the log dir that answer KAFKA_STORAGE_ERROR.", false,
     [](const DirStatus& dir) { return uint64_t{dir.counts.partitions_offline}; }},
    {"stele_log_dir_strays", "Directories that were set aside because they belong to no topic of the cluster.", false,
     [](const DirStatus& dir) { return uint64_t{dir.strays}; }},
    {"stele_log_dir_damaged_batches", "Damaged batches that were met and are not served.", false,
     [](const DirStatus& dir) { return uint64_t{dir.counts.damaged_batches}; }},
    {"stele_log_dir_corrupt_reads_total", "Reads and lookups that were answered CORRUPT_MESSAGE.", true,
     [](const DirStatus& dir) { return dir.counts.corrupt_refusals; }},
    {"stele_log_dir_space_refusals_total", "Appends that were refused for want of space.", true,
     [](const DirStatus& dir) { return dir.counts.space_refusals; }},
};

}  // namespace

void add_start(MetricsText& text, const broker::StartProgress& progress) {
  text.gauge("stele_broker_serving", "1 while clients are served, from the partitions that are open.");
  text.sample(uint64_t{progress.serving});
  text.gauge("stele_broker_ready", "1 once every partition is open, or could not be opened.");
  text.sample(uint64_t{progress.complete()});
}

void add_log_dirs(MetricsText& text, const std::vector<DirStatus>& dirs) {
  text.gauge("kafka_log_logmanager_offlinelogdirectorycount", "Log dirs that failed.");
  uint64_t offline = 0;
  for (const DirStatus& dir : dirs) offline += dir.online ? 0 : 1;
  text.sample(offline);
  text.gauge("kafka_log_logmanager_logdirectoryoffline", "1 where the log dir failed.");
  for (const DirStatus& dir : dirs) text.sample(uint64_t{!dir.online}, {{"logdirectory", dir.path}});
  for (const PerDir& metric : kPerDir) {
    if (metric.counter) {
      text.counter(metric.name, metric.help);
    } else {
      text.gauge(metric.name, metric.help);
    }
    for (const DirStatus& dir : dirs) text.sample(metric.value(dir), {{"dir", dir.path}});
  }
  text.gauge("stele_log_dir_failure_info", "1 with the write or sync that failed as `reason`; absent while online.");
  for (const DirStatus& dir : dirs) {
    if (!dir.online) text.sample(uint64_t{1}, {{"dir", dir.path}, {"reason", dir.failure}});
  }
}

}  // namespace stele::admin
