// Fetch sessions: any sequence of requests, from readers that keep to the protocol and from those that do not.
#include "base/check.h"
#include "fuzz/input.h"
#include "fuzz/target.h"
#include "server/fetch_session.h"

namespace stele::fuzz {

namespace {

constexpr size_t kSlots = 3;
constexpr size_t kPartitionsMax = 8;
constexpr size_t kTotalMax = 15;

struct Reader {
  int32_t id = 0;
  int32_t epoch = 0;
};

wire::FetchRequest request_of(Input& input, const Reader& reader) {
  static constexpr std::string_view kTopics[] = {"a", "b", ""};
  wire::FetchRequest request;
  request.session_id = input.byte() % 8 == 0 ? input.byte() : reader.id;
  request.session_epoch = input.byte() % 8 == 0 ? static_cast<int8_t>(input.byte()) : reader.epoch;
  for (int topics = input.byte() % 3; topics > 0; --topics) {
    auto& topic = request.topics.emplace_back();
    topic.topic = kTopics[input.below(3)];
    topic.topic_id = {input.byte(), 1};
    for (int partitions = input.byte() % 6; partitions > 0; --partitions) {
      auto& partition = topic.partitions.emplace_back();
      partition.partition = static_cast<int8_t>(input.byte());
      partition.fetch_offset = input.byte();
    }
  }
  for (int topics = input.byte() % 3; topics > 0; --topics) {
    auto& topic = request.forgotten_topics_data.emplace_back();
    topic.topic = kTopics[input.below(3)];
    topic.topic_id = {input.byte(), 1};
    for (int partitions = input.byte() % 4; partitions > 0; --partitions) {
      topic.partitions.push_back(static_cast<int8_t>(input.byte()));
    }
  }
  return request;
}

void tell_of_all(Input& input, server::FetchSession& session, const std::vector<server::FetchWish>& wishes) {
  for (const server::FetchWish& wish : wishes) {
    wire::FetchResponse::PartitionData answer;
    answer.error_code = input.byte() % 4 == 0 ? int16_t{3} : int16_t{0};
    answer.high_watermark = input.byte() % 4;
    (void)session.tell(wish.key, answer);
    const bool again = session.tell(wish.key, answer);
    STELE_CHECK(again == (answer.error_code != 0), "the same answer is told twice, or an error is not");
  }
  STELE_CHECK(session.wishes().size() == session.size());
}

}  // namespace

void fetch_sessions(base::Bytes bytes) {
  Input input{bytes};
  base::SeededRandom random{7};
  server::FetchSessions sessions{{.slots = kSlots, .partitions_max = kPartitionsMax, .total_partitions_max = kTotalMax},
                                 base::ShardId{1},
                                 3,
                                 random};
  Reader readers[5];
  base::MonoTime now{};
  while (!input.empty()) {
    now += std::chrono::seconds{input.byte() % 90};
    Reader& reader = readers[input.byte() % 5];
    const int16_t version = input.byte() % 2 == 0 ? int16_t{12} : int16_t{13};
    const auto opened = sessions.open(request_of(input, reader), version, now);
    std::shared_ptr<server::FetchSession> session = opened.session;
    if (opened.may_create && !session) session = sessions.create(opened.wishes, version >= 13, now).value_or(nullptr);
    if (session) {
      STELE_CHECK(opened.code == base::ErrorCode::kNone && session->size() <= kPartitionsMax);
      STELE_CHECK(session->id() > 0 && session->id() % 3 == 1, "session {}", session->id());
      reader = opened.session ? Reader{session->id(), reader.epoch + 1} : Reader{session->id(), 1};
      tell_of_all(input, *session, opened.wishes);
    } else {
      reader = {};
    }
    STELE_CHECK(sessions.size() <= kSlots && sessions.total_weight() <= kTotalMax, "{} sessions of {} partitions",
                sessions.size(), sessions.total_weight());
  }
}

}  // namespace stele::fuzz
