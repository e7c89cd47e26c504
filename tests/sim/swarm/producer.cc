// A producer as a Kafka client is one: up to five requests under way on one connection, lost answers sent again in
// their order, a new epoch where it cannot know any more.
#include <fmt/format.h>

#include <deque>

#include "sim/swarm/stage.h"
#include "wire/init_producer_id_request.h"
#include "wire/init_producer_id_response.h"
#include "wire/produce_request.h"
#include "wire/produce_response.h"

namespace stele::sim::swarm {

namespace {

using base::ErrorCode;
using base::Task;

constexpr int16_t kProduceVersion = 13;  // by topic id
constexpr int16_t kInitVersion = 4;

class Producer {
 public:
  Producer(Stage& stage, io::Shard& shard, const ClientPlan& plan, uint32_t number)
      : stage_(stage), shard_(shard), plan_(plan), number_(number), random_(plan.seed), left_(plan.operations) {}

  Task<void> run() {
    while (true) {
      const bool more = left_ > 0 && !stage_.healed;
      if (!more && again_.empty() && under_way_.empty()) co_return;
      if (!co_await get_ready()) {
        co_await pause(shard_, random_, std::chrono::milliseconds{20});
        continue;
      }
      co_await fill();
      if (line_ == nullptr) continue;
      if (under_way_.empty()) {
        co_await pause(shard_, random_, plan_.think);
      } else {
        co_await take_answer();
      }
    }
  }

 private:
  struct Pending {
    size_t send = 0;  // in the history
    base::TopicId topic;
    ModelBatch batch;
    bool refused = false;  // an earlier attempt was, and can be sent again
  };

  bool idempotent() const { return plan_.kind == ClientKind::kIdempotent; }
  int16_t acks() const { return idempotent() ? int16_t{-1} : plan_.acks; }
  Send& story(const Pending& pending) { return stage_.history.sends[pending.send]; }

  // A connection and, for those who need one, a producer id.
  Task<bool> get_ready() {
    if (line_ == nullptr) {
      line_ = co_await Line::connect(stage_, shard_, plan_.timeout);
      if (line_ == nullptr) co_return false;
    }
    if (!idempotent() || producer_id_ >= 0) co_return true;
    wire::InitProducerIdRequest request;
    request.transactional_id = std::nullopt;
    request.transaction_timeout_ms = 1000;
    const auto answer = co_await line_->call<wire::InitProducerIdResponse>(request, kInitVersion, plan_.timeout);
    if (!answer) line_.reset();
    if (!answer || answer->error_code != 0) co_return false;
    if (answer->producer_epoch != 0) stage_.odd(fmt::format("a new producer id has epoch {}", answer->producer_epoch));
    producer_id_ = answer->producer_id;
    epoch_ = 0;
    epoch_era_ = line_->era();
    next_sequence_.clear();
    co_return true;
  }

  Task<void> fill() {
    while (line_ != nullptr && under_way_.size() < plan_.in_flight) {
      if (!again_.empty()) {
        if (draining_ && !under_way_.empty()) co_return;  // what is sent again keeps its order
        draining_ = false;
        Pending pending = std::move(again_.front());
        again_.pop_front();
        co_await send(std::move(pending));
        continue;
      }
      if (draining_ && !under_way_.empty()) co_return;
      draining_ = false;
      if (left_ == 0 || stage_.healed) co_return;
      const auto pending = make_batch();
      if (!pending) co_return;
      --left_;
      co_await send(*pending);
      if (random_.below(3) == 0) co_return;
    }
  }

  std::optional<Pending> make_batch() {
    const KnownTopic* topic = stage_.any_topic(random_);
    if (topic == nullptr) {
      --left_;
      return std::nullopt;
    }
    if (plan_.narrow && !stage_.topics.front().deleting) topic = &stage_.topics.front();
    Pending pending{.send = stage_.history.sends.size(), .topic = topic->id, .batch = {}};
    const auto partition = static_cast<int32_t>(random_.below(static_cast<uint64_t>(topic->partitions)));
    const Place place{topic->number, plan_.narrow ? 0 : partition};
    Send story{.span = {.invoked = stage_.history.tick()}, .place = place, .client = number_, .acks = acks()};
    const uint64_t count = 1 + random_.below(random_.below(4) == 0 ? 12 : 3);
    for (uint64_t i = 0; i < count; ++i) {
      pending.batch.values.push_back(make_value(++stage_.records, random_.below(stage_.plan.value_bytes), random_));
      story.records.push_back(pending.batch.values.back().mark);
    }
    if (stage_.plan.codecs) pending.batch.codec = static_cast<record::Codec>(random_.below(5));
    if (idempotent()) {
      int32_t& next = next_sequence_[place];
      story.producer_id = pending.batch.producer_id = producer_id_;
      story.producer_epoch = pending.batch.producer_epoch = epoch_;
      story.sequence = pending.batch.sequence = next;
      next += static_cast<int32_t>(count);
    }
    stage_.history.sends.push_back(std::move(story));
    return pending;
  }

  Task<void> send(Pending pending) {
    Send& told = story(pending);
    ++told.attempts;
    told.line = line_->number();
    const base::ByteVector records = encode(pending.batch, shard_.clock().wall());
    wire::ProduceRequest request;
    request.acks = acks();
    request.timeout_ms = 30'000;
    auto& data = request.topic_data.emplace_back();
    data.topic_id = pending.topic;
    auto& part = data.partition_data.emplace_back();
    part.index = told.place.partition;
    part.records = base::Bytes{records};
    base::ByteVector bytes = line_->frame<wire::ProduceResponse>(request, kProduceVersion);
    if (stage_.say) {
      stage_.say(
          fmt::format("client {} sends {} records from number {} to topic {} partition {}: sequence {} epoch {}, "
                      "attempt {} on line {}",
                      number_, told.records.size(), number_of(told.records.front()), told.place.topic,
                      told.place.partition, told.sequence, told.producer_epoch, told.attempts, told.line));
    }
    const bool answered = acks() != 0;
    if (answered) under_way_.push_back(std::move(pending));
    const bool sent = co_await line_->send(std::move(bytes), plan_.timeout);
    if (!sent) lose_line();
  }

  // Everything under way is sent again, but for what was tried often enough.
  void lose_line() {
    line_.reset();
    std::deque<Pending> lost = std::exchange(under_way_, {});
    std::move(again_.begin(), again_.end(), std::back_inserter(lost));
    std::sort(lost.begin(), lost.end(), [](const Pending& a, const Pending& b) { return a.send < b.send; });
    again_ = std::move(lost);
    give_up_some();
    draining_ = false;
  }

  void retry(Pending pending) {
    draining_ = true;
    const auto after =
        std::find_if(again_.begin(), again_.end(), [&](const Pending& other) { return other.send > pending.send; });
    again_.insert(after, std::move(pending));
    give_up_some();
  }

  // A producer that does not know what became of a batch goes on under another epoch, and sends nothing again that
  // could be there twice.
  void give_up_some() {
    bool given_up = false;
    for (const Pending& pending : again_) {
      const KnownTopic* topic = stage_.find(pending.topic);
      given_up |= !stage_.healed && story(pending).attempts >= plan_.attempts_max;
      given_up |= topic == nullptr || topic->deleting;
    }
    if (!given_up) return;
    if (idempotent()) {
      forget_all();
      return;
    }
    std::erase_if(again_, [this](const Pending& pending) {
      const KnownTopic* topic = stage_.find(pending.topic);
      return story(pending).attempts >= plan_.attempts_max || topic == nullptr || topic->deleting;
    });
  }

  void forget_all() {
    again_.clear();
    under_way_.clear();
    line_.reset();
    draining_ = false;
    next_sequence_.clear();
    if (random_.below(4) == 0) {
      producer_id_ = -1;
    } else {
      ++epoch_;
      epoch_era_ = stage_.era();
    }
  }

  Task<void> take_answer() {
    const auto answer = co_await line_->answer<wire::ProduceResponse>(kProduceVersion, plan_.timeout);
    if (!answer) {
      lose_line();
      co_return;
    }
    Pending pending = std::move(under_way_.front());
    under_way_.pop_front();
    const auto& part = answer->responses.front().partition_responses.front();
    take(std::move(pending), part.error_code, part.base_offset);
    if (!again_.empty()) co_await pause(shard_, random_, std::chrono::milliseconds{10});
  }

  void take(Pending pending, int16_t code, int64_t base_offset) {
    Send& told = story(pending);
    told.code = code;
    if (stage_.say) {
      stage_.say(fmt::format("client {} is answered {} for number {}: {} at {}", number_,
                             base::error_name(static_cast<ErrorCode>(code)), number_of(told.records.front()), code,
                             base_offset));
    }
    switch (static_cast<ErrorCode>(code)) {
      case ErrorCode::kNone:
      case ErrorCode::kDuplicateSequenceNumber:
        told.outcome = Outcome::kOk;
        told.base_offset = code == 0 ? base_offset : -1;
        told.span.completed = stage_.history.tick();
        told.span.era = line_->era();
        ++stage_.acknowledged;
        return;
      case ErrorCode::kMessageTooLarge:
      case ErrorCode::kRecordListTooLarge:
        fail(told);
        if (idempotent()) forget_all();
        return;
      case ErrorCode::kOutOfOrderSequenceNumber:
      case ErrorCode::kUnknownProducerId:
      case ErrorCode::kInvalidProducerEpoch:
        refuse_sequence(std::move(pending), code);
        return;
      case ErrorCode::kUnknownTopicOrPartition:
      case ErrorCode::kUnknownTopicId:
      case ErrorCode::kNotLeaderOrFollower:
      case ErrorCode::kLeaderNotAvailable:
      case ErrorCode::kKafkaStorageError:
      case ErrorCode::kRequestTimedOut:
      case ErrorCode::kNotEnoughReplicas:
        pending.refused = true;
        retry(std::move(pending));
        return;
      default:
        stage_.odd(
            fmt::format("a produce was answered with {} ({})", base::error_name(static_cast<ErrorCode>(code)), code));
        fail(told);
    }
  }

  void fail(Send& told) {
    // An earlier attempt, whose answer was lost, may have been written.
    if (told.attempts == 1) told.outcome = Outcome::kFail;
    told.span.completed = stage_.history.tick();
    told.span.era = line_->era();
  }

  // Right where an earlier batch waits to be sent again, or a power loss took the broker's memory of this producer.
  void refuse_sequence(Pending pending, int16_t code) {
    const Send& told = story(pending);
    bool earlier = false;
    for (const Pending& other : again_) {
      earlier |= story(other).place == told.place && other.send < pending.send;
    }
    if (earlier && idempotent()) {
      retry(std::move(pending));
      return;
    }
    bool excused = !idempotent();
    for (uint32_t era = epoch_era_; era < line_->era(); ++era) {
      const Ending& ending = stage_.history.endings.at(era);
      excused |=
          ending.kind == EndKind::kPowerLoss && !stage_.history.topics[static_cast<size_t>(told.place.topic)].synced;
      for (const auto& [place, ends] : ending.ends) excused |= ends.damaged;
    }
    const KnownTopic* topic = stage_.find(pending.topic);
    excused |= topic == nullptr || topic->deleting;
    // As Kafka's, a producer snapshot tells the last batch alone: after a restart one before it that is sent again is
    // refused, not recognized. A producer that a log does not know begins anywhere: where the first batch met a
    // partition that was not open yet, the second may have been taken as the first.
    for (const Send& other : stage_.history.sends) {
      excused |= other.producer_id == told.producer_id && other.producer_epoch == told.producer_epoch &&
                 other.place == told.place && other.sequence > told.sequence && told.attempts > 1 &&
                 (epoch_era_ < line_->era() || (told.sequence == 0 && pending.refused));
    }
    if (!excused || !idempotent()) {
      stage_.odd(fmt::format("producer {} epoch {} sequence {} of topic {} partition {} in era {}: {}",
                             told.producer_id, told.producer_epoch, told.sequence, told.place.topic,
                             told.place.partition, line_->era(), base::error_name(static_cast<ErrorCode>(code))));
    }
    fail(story(pending));
    forget_all();
  }

  Stage& stage_;
  io::Shard& shard_;
  const ClientPlan& plan_;
  const uint32_t number_;
  base::SeededRandom random_;
  uint32_t left_;
  std::unique_ptr<Line> line_;
  int64_t producer_id_ = -1;
  int16_t epoch_ = 0;
  uint32_t epoch_era_ = 0;
  std::map<Place, int32_t> next_sequence_;
  std::deque<Pending> under_way_;
  std::deque<Pending> again_;  // in the order in which they were made
  bool draining_ = false;
};

}  // namespace

Task<void> run_producer(Stage& stage, io::Shard& shard, const ClientPlan& plan, uint32_t number) {
  Producer producer(stage, shard, plan, number);
  co_await producer.run();
}

}  // namespace stele::sim::swarm
