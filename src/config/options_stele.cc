// Options that Kafka does not have. Every limit of Stele that is not one of Kafka's has its name here.
#include "config/option_tables.h"

namespace stele::config {
namespace {

constexpr auto kRead = UpdateMode::kReadOnly;
constexpr auto kHigh = Importance::kHigh;
constexpr auto kMedium = Importance::kMedium;
constexpr auto kLow = Importance::kLow;
constexpr auto kLong = ValueType::kLong;
constexpr auto kInt = ValueType::kInt;
constexpr auto kDone = Effect::kHonoured;

constexpr Option kOptions[] = {
    {"stele.allow.insecure", ValueType::kBoolean, "false", any(), kHigh, kRead, kDone,
     "Starts although options are set that Stele would have to ignore at the cost of security or durability."},
    {"stele.durability", ValueType::kString, "replicated", one_of("replicated, synced"), kHigh,
     UpdateMode::kClusterWide, kDone,
     "When a record counts: `replicated` once the kernel of every in-sync replica has it, as in Kafka; `synced` once "
     "it "
     "is on their stable storage too."},
    {"stele.journal.bytes", kLong, "268435456", between(0, int64_t{4} << 30), kMedium, kRead, kDone,
     "Size of the journal of a log dir, which one sync makes durable for all partitions with "
     "`stele.durability=synced`; "
     "0 for none: each partition's file is synced."},
    {"stele.http.host", ValueType::kString, "127.0.0.1", any(), kMedium, kRead, kDone,
     "Address of the HTTP listener for /live, /ready, /metrics and /stats; empty for every interface."},
    {"stele.http.port", kInt, "9644", between(-1, 65535), kMedium, kRead, kDone,
     "Port of the HTTP listener; 0 takes a free one, -1 turns it off."},
    {"stele.http.connections.max", kInt, "64", at_least(1), kLow, kRead, kDone,
     "Connections to the HTTP listener at a time; beyond it new ones are closed."},
    {"stele.http.idle.ms", kLong, "30000", at_least(1), kLow, kRead, kDone,
     "Time within which an HTTP client must send a whole request, or take some of its answer; then its connection "
     "closes."},
    {"stele.shards", kInt, "0", between(0, 1024), kHigh, kRead, kDone,
     "Event loops, each with its own partitions; 0 for one per core."},
    {"stele.memory.data.bytes", kLong, "536870912", at_least(1048576), kHigh, kRead, kDone,
     "Memory for requests and answers of producers and consumers; beyond it their sockets wait unread."},
    {"stele.memory.control.bytes", kLong, "268435456", at_least(1048576), kMedium, kRead, kDone,
     "Memory for requests of replication, controller and administration."},
    {"stele.memory.groups.bytes", kLong, "268435456", at_least(1048576), kMedium, kRead, kDone,
     "Memory for requests of consumer groups."},
    {"stele.connection.frame.timeout.ms", kLong, "30000", at_least(1), kMedium, kRead, kDone,
     "Time within which a request that has begun to arrive must be whole; then its connection closes."},
    {"stele.connection.write.timeout.ms", kLong, "60000", at_least(1), kMedium, kRead, kDone,
     "Time within which a client must take some of an answer that waits for it; then its connection closes."},
    {"stele.connection.requests.max", kInt, "1000", at_least(1), kMedium, kRead, kDone,
     "Requests of one connection that may be unanswered at a time; beyond it no more are read."},
    {"stele.connection.answers.bytes", kLong, "1048576", at_least(65536), kMedium, kRead, kDone,
     "Bytes of answers that may wait for one connection before its next requests are read."},
    {"stele.request.elements.max", kInt, "1000000", at_least(1), kMedium, kRead, kDone,
     "Elements of all arrays of one request together, those inside others included; beyond it its connection closes."},
    {"stele.request.memory.max", kLong, "268435456", at_least(1 << 20), kMedium, kRead, kDone,
     "Bytes of memory that one request and its answer, without records, may take; beyond it its connection closes."},
    {"stele.log.complaints.per.second", kInt, "10", at_least(1), kLow, kRead, kDone,
     "Lines a shard logs in one second about what clients do wrong; further ones are counted."},
    {"stele.fetch.session.partitions.max", kInt, "100000", at_least(1), kMedium, kRead, kDone,
     "Partitions that one incremental fetch session may remember."},
    {"stele.fetch.sessions.partitions.max", kInt, "1000000", at_least(0), kMedium, kRead, kDone,
     "Partitions that all incremental fetch sessions together may remember; beyond it, or with 0, readers name theirs "
     "each time."},
    {"stele.fetch.waiters.max", kInt, "100000", at_least(1), kMedium, kRead, kDone,
     "Fetches that may wait for records at a time on one shard; beyond it they are answered at once."},
    {"stele.fetch.recheck.ms", kLong, "60000", at_least(0), kMedium, kRead, kDone,
     "How long records that were written or checked may be sent from the page cache without a further check of their "
     "checksums; 0 checks each batch for each fetch."},
    {"stele.produce.waiters.max", kInt, "100000", at_least(1), kMedium, kRead, kDone,
     "Produces that may wait for replicas at a time on one shard; beyond it no more are read."},
    {"stele.batch.decompressed.bytes.max", kLong, "1073741824", at_least(1048576), kMedium, kRead, kDone,
     "Largest size to which a compressed batch may expand while it is checked."},
    {"stele.batch.rebuilt.bytes.max", kLong, "268435456", at_least(1048576), kMedium, kRead, kDone,
     "Largest size of the records of a batch that is written anew since `compression.type` of its topic asks for "
     "another "
     "codec; beyond it the batch is refused."},
    {"stele.producer.ids.max", kInt, "100000", at_least(1), kMedium, kRead, kDone,
     "Idempotent producers one partition remembers; beyond it the one idle longest is forgotten."},
    {"stele.groups.max", kInt, "100000", at_least(1), kMedium, kRead, kDone,
     "Consumer groups this broker coordinates; beyond it new ones are refused."},
    {"stele.group.members.bytes.max", kLong, "1073741824", at_least(1048576), kMedium, kRead, kDone,
     "Memory for the ids and metadata of the members of all groups, split evenly over the partitions of "
     "`__consumer_offsets`; beyond it further members are refused."},
    {"stele.group.offsets.max", kInt, "10000000", at_least(1), kMedium, kRead, kDone,
     "Committed offsets this broker remembers; beyond it those of further partitions are refused."},
    {"stele.open.files.max", kInt, "0", at_least(0), kLow, kRead, kDone,
     "Segment files kept open at a time, the one unused for longest is closed first; 0 for half of what the system "
     "allows the process."},
    {"stele.request.partitions.max", kInt, "10000", at_least(1), kMedium, kRead, kDone,
     "Partitions that one request may create, or add to one topic; Kafka has it fixed."},
    {"stele.partitions.max", kInt, "200000", at_least(1), kMedium, kRead, kDone,
     "Partitions of all topics together; beyond it topics and partitions cannot be created."},
    {"stele.config.resources.max", kInt, "5000", at_least(1), kMedium, kRead, kDone,
     "Groups and subscriptions to clients' metrics that may have configs of their own; beyond it those of further ones "
     "are refused."},
    {"stele.log.dir.min.free.bytes", kLong, "-1", at_least(-1), kHigh, kRead, kDone,
     "Free bytes of a log dir's file system below which records of producers are refused with KAFKA_STORAGE_ERROR, "
     "until "
     "a quarter more is free; reading and deleting go on. -1: the smaller of 1 GiB and 5 % of the file system; 0: no "
     "limit."},
    {"stele.log.dir.check.interval.ms", kLong, "1000", at_least(1), kLow, kRead, kDone,
     "How often the free space of the log dirs is looked at."},
    {"stele.log.dir.threads", kInt, "2", between(1, 64), kLow, kRead, kDone,
     "Threads per log dir for syncs, directory work and reads that miss the page cache."},
    {"stele.shutdown.timeout.ms", kLong, "30000", at_least(0), kMedium, kRead, kDone,
     "Longest time a clean stop waits for requests in progress."},
};

}  // namespace

std::span<const Option> stele_options() { return kOptions; }

}  // namespace stele::config
