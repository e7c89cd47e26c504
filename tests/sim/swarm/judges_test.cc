// Each judge against histories made by hand: one that is fine, and for each anomaly one that has it alone.
#include "sim/swarm/judges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace stele::sim::swarm {
namespace {

using ::testing::IsEmpty;

constexpr RecordMark mark(uint32_t number) { return static_cast<RecordMark>(number) << 32 | (number * 7); }

// A history in a few words. Places are of topic 0.
class Tale {
 public:
  Tale() {
    history_.topics.push_back(
        {.name = "t", .created = 1, .there_at_end = true, .partitions = 1, .partitions_at_end = 1});
  }

  Send& sent(std::vector<uint32_t> numbers, int64_t base_offset, Outcome outcome = Outcome::kOk) {
    Send send{
        .span = span(), .place = kPlace, .line = 1, .attempts = 1, .outcome = outcome, .base_offset = base_offset};
    for (const uint32_t number : numbers) send.records.push_back(mark(number));
    history_.sends.push_back(send);
    return history_.sends.back();
  }
  Send& numbered(std::vector<uint32_t> numbers, int64_t base_offset, int32_t sequence) {
    Send& send = sent(std::move(numbers), base_offset);
    send.producer_id = 5;
    send.producer_epoch = 0;
    send.sequence = sequence;
    return send;
  }
  Read& read(int64_t from, std::vector<uint32_t> numbers, int64_t high_watermark, int64_t log_start = 0) {
    Read read{.span = span(), .place = kPlace, .from = from, .high_watermark = high_watermark, .log_start = log_start};
    for (const uint32_t number : numbers)
      read.records.push_back({from + static_cast<int64_t>(read.records.size()), mark(number)});
    history_.reads.push_back(read);
    return history_.reads.back();
  }
  void last_scan(int64_t from, std::vector<uint32_t> numbers) {
    const auto end = from + static_cast<int64_t>(numbers.size());
    read(from, std::move(numbers), end, from).final_scan = true;
  }
  void bound(bool latest, int64_t offset) {
    history_.bounds.push_back({.span = span(), .place = kPlace, .latest = latest, .offset = offset});
  }
  void trimmed(int64_t before) {
    history_.trims.push_back(
        {.span = span(), .place = kPlace, .before = before, .outcome = Outcome::kOk, .low_watermark = before});
  }
  void committed(int64_t offset, Outcome outcome = Outcome::kOk) {
    history_.commits.push_back({.span = span(), .group = 0, .place = kPlace, .offset = offset, .outcome = outcome});
  }
  void found_commit(int64_t offset) {
    history_.commit_reads.push_back({.span = span(), .group = 0, .place = kPlace, .offset = offset});
  }
  // What was read last lies in these leader epochs.
  void in_epochs(std::vector<int32_t> epochs) {
    for (size_t i = 0; i < epochs.size(); ++i) history_.reads.back().records[i].leader_epoch = epochs[i];
  }
  void metadata(int32_t leader_epoch) {
    history_.epochs.push_back({.span = span(), .place = kPlace, .leader_epoch = leader_epoch});
  }
  // What was read last has these times.
  void at_times(std::vector<int64_t> times) {
    for (size_t i = 0; i < times.size(); ++i) history_.reads.back().records[i].timestamp = times[i];
  }
  void found_time(int64_t asked, int64_t timestamp, int64_t offset) {
    history_.time_lookups.push_back(
        {.span = span(), .place = kPlace, .asked = asked, .timestamp = timestamp, .offset = offset});
  }
  void found_epoch(int32_t asked, int32_t epoch, int64_t end) {
    history_.epoch_lookups.push_back({.span = span(), .place = kPlace, .asked = asked, .epoch = epoch, .end = end});
  }
  void handed_out(int32_t generation, std::map<std::string, std::string> parts) {
    history_.handouts.push_back(
        {.span = {.invoked = history_.tick()}, .group = 0, .generation = generation, .parts = std::move(parts)});
  }
  void got(int32_t generation, const std::string& member, const std::string& part) {
    history_.assignments.push_back(
        {.span = span(), .group = 0, .generation = generation, .member = member, .part = part});
  }
  // The process ends; the log of the next one has the end `opened`.
  void ends(EndKind kind, Ends ends, int64_t opened) {
    history_.endings.push_back({.era = era(), .kind = kind, .at = history_.tick(), .ends = {{kPlace, ends}}});
    history_.openings.push_back({.era = era(), .place = kPlace, .end = opened});
  }
  void synced() {
    history_.synced = true;
    history_.topics[0].synced = true;
  }
  Topic& topic() { return history_.topics[0]; }
  History& history() { return history_; }

  std::set<std::string> rules() const {
    std::set<std::string> rules;
    for (const Finding& finding : judge(history_)) rules.insert(finding.rule);
    return rules;
  }

 private:
  static constexpr Place kPlace{0, 0};
  uint32_t era() const { return static_cast<uint32_t>(history_.endings.size()); }
  Span span() { return {history_.tick(), history_.tick(), era()}; }
  History history_;
};

using Rules = std::set<std::string>;
constexpr Ends at(int64_t written, int64_t synced) {
  return {.written = written, .synced = synced, .assigned = written};
}

TEST(JudgesTest, nothing_is_found_where_nothing_is_wrong) {
  Tale tale;
  tale.numbered({1, 2}, 0, 0);
  tale.numbered({3}, 2, 2);
  tale.read(0, {1, 2, 3}, 3);
  tale.committed(1);
  tale.found_commit(1);
  tale.ends(EndKind::kKill, at(3, 1), 3);
  tale.sent({4}, 3);
  tale.found_commit(1);
  tale.bound(true, 4);
  tale.trimmed(2);
  tale.ends(EndKind::kStop, at(4, 4), 4);
  tale.last_scan(2, {3, 4});
  EXPECT_THAT(tale.rules(), IsEmpty());
}

TEST(JudgesTest, an_acknowledged_record_that_a_kill_lost) {
  Tale tale;
  tale.sent({1, 2}, 0);
  tale.ends(EndKind::kKill, at(2, 0), 1);
  tale.last_scan(0, {1});
  EXPECT_EQ(tale.rules(), (Rules{"cut", "high watermark", "lost"}));
}

TEST(JudgesTest, an_acknowledged_record_that_was_never_written_when_the_process_was_killed) {
  Tale tale;
  tale.sent({1, 2}, 0);
  tale.ends(EndKind::kKill, {.written = 1, .synced = 0, .assigned = 2}, 1);
  tale.last_scan(0, {1});
  EXPECT_TRUE(tale.rules().contains("lost"));
}

TEST(JudgesTest, an_acknowledged_record_that_is_not_in_the_last_scan) {
  Tale tale;
  tale.sent({1, 2}, 0);
  tale.last_scan(0, {1});
  EXPECT_TRUE(tale.rules().contains("lost"));
}

TEST(JudgesTest, a_power_loss_may_take_a_suffix_that_was_not_synced) {
  Tale tale;
  tale.sent({1, 2, 3}, 0);
  tale.read(0, {1, 2, 3}, 3);
  tale.ends(EndKind::kPowerLoss, at(3, 1), 2);
  tale.sent({4}, 2);
  tale.last_scan(0, {1, 2, 4});
  EXPECT_THAT(tale.rules(), IsEmpty());
}

TEST(JudgesTest, a_power_loss_takes_nothing_that_was_synced) {
  Tale tale;
  tale.sent({1, 2, 3}, 0);
  tale.ends(EndKind::kPowerLoss, at(3, 2), 1);
  tale.last_scan(0, {1});
  EXPECT_EQ(tale.rules(), (Rules{"cut", "lost"}));
}

TEST(JudgesTest, a_power_loss_may_take_a_log_that_was_synced_in_name_only_up_to_its_start) {
  for (const int64_t log_start : {1, 2}) {
    Tale tale;
    tale.sent({1, 2, 3}, 0);
    tale.ends(EndKind::kPowerLoss, {.written = 3, .synced = 2, .assigned = 3, .log_start = log_start}, 0);
    EXPECT_EQ(tale.rules().empty(), log_start == 2);
  }
}

TEST(JudgesTest, a_power_loss_takes_a_suffix_and_nothing_from_the_middle) {
  Tale tale;
  tale.sent({1, 2, 3}, 0);
  tale.ends(EndKind::kPowerLoss, at(3, 0), 3);
  tale.sent({9}, 3);
  tale.last_scan(0, {1, 8, 3, 9});
  EXPECT_TRUE(tale.rules().contains("two values"));
}

TEST(JudgesTest, under_synced_a_power_loss_takes_nothing_acknowledged) {
  Tale tale;
  tale.synced();
  tale.sent({1, 2}, 0);
  tale.ends(EndKind::kPowerLoss, at(2, 1), 1);
  tale.last_scan(0, {1});
  EXPECT_TRUE(tale.rules().contains("lost"));
}

TEST(JudgesTest, under_synced_a_power_loss_may_take_what_nobody_heard_of) {
  Tale tale;
  tale.synced();
  tale.sent({1}, 0);
  tale.sent({2}, -1, Outcome::kInfo);
  tale.ends(EndKind::kPowerLoss, at(2, 1), 1);
  tale.last_scan(0, {1});
  EXPECT_THAT(tale.rules(), IsEmpty());
}

TEST(JudgesTest, a_failed_disk_may_lose_what_was_not_synced_and_nothing_else) {
  for (const int64_t left : {2, 0}) {
    Tale tale;
    tale.sent({1, 2, 3}, 0);
    tale.ends(EndKind::kKill, {.written = 3, .synced = 1, .assigned = 3, .damaged = true}, left);
    tale.last_scan(0, left == 2 ? std::vector<uint32_t>{1, 2} : std::vector<uint32_t>{});
    EXPECT_EQ(tale.rules(), left == 2 ? Rules{} : (Rules{"cut", "lost"}));
  }
}

TEST(JudgesTest, a_log_that_comes_back_longer_than_it_was) {
  Tale tale;
  tale.sent({1}, 0);
  tale.ends(EndKind::kStop, at(1, 1), 2);
  EXPECT_EQ(tale.rules(), (Rules{"cut"}));
}

TEST(JudgesTest, two_values_at_one_offset) {
  Tale tale;
  tale.sent({1}, 0);
  tale.sent({2}, -1, Outcome::kInfo);
  tale.read(0, {2}, 1);
  EXPECT_TRUE(tale.rules().contains("two values"));
}

TEST(JudgesTest, bytes_that_changed) {
  Tale tale;
  tale.sent({1}, 0);
  tale.read(0, {1}, 1).records[0].mark ^= 1;
  EXPECT_EQ(tale.rules(), (Rules{"two values", "unknown record"}));
}

TEST(JudgesTest, a_record_that_nobody_sent) {
  Tale tale;
  tale.read(0, {77}, 1);
  EXPECT_EQ(tale.rules(), (Rules{"unknown record"}));
}

TEST(JudgesTest, an_idempotent_record_that_lies_twice) {
  Tale tale;
  tale.numbered({1}, 0, 0).attempts = 2;
  tale.read(0, {1, 1}, 2);
  EXPECT_TRUE(tale.rules().contains("duplicate"));
}

TEST(JudgesTest, a_plain_record_may_lie_twice_only_if_it_was_sent_twice) {
  for (const uint32_t attempts : {1U, 2U}) {
    Tale tale;
    tale.sent({1}, 0).attempts = attempts;
    tale.read(0, {1, 1}, 2);
    EXPECT_EQ(tale.rules().contains("duplicate"), attempts == 1);
  }
}

TEST(JudgesTest, a_record_sent_again_after_a_power_loss_took_it_is_no_duplicate) {
  Tale tale;
  tale.numbered({1}, -1, 0).attempts = 2;
  tale.read(0, {1}, 1);
  tale.sent({2}, -1, Outcome::kInfo);
  tale.ends(EndKind::kPowerLoss, at(1, 0), 0);
  tale.last_scan(0, {2, 1});
  EXPECT_THAT(tale.rules(), IsEmpty());
}

TEST(JudgesTest, idempotent_batches_in_another_order_than_they_were_sent) {
  Tale tale;
  tale.numbered({1}, 1, 0);
  tale.numbered({2}, 0, 1);
  EXPECT_EQ(tale.rules(), (Rules{"order"}));
}

TEST(JudgesTest, plain_batches_of_one_connection_in_another_order) {
  Tale tale;
  tale.sent({1}, 1);
  tale.sent({2}, 0);
  EXPECT_EQ(tale.rules(), (Rules{"order"}));
}

TEST(JudgesTest, a_hole_in_the_last_scan) {
  Tale tale;
  tale.sent({1}, 0);
  tale.sent({2}, -1, Outcome::kInfo);
  tale.sent({3}, 2);
  tale.read(0, {1}, 3).final_scan = true;
  tale.read(2, {3}, 3).final_scan = true;
  EXPECT_EQ(tale.rules(), (Rules{"hole"}));
}

TEST(JudgesTest, a_hole_within_an_answer) {
  Tale tale;
  tale.sent({1}, 0);
  tale.sent({3}, 2);
  tale.read(0, {1, 3}, 3).records[1].offset = 2;
  EXPECT_EQ(tale.rules(), (Rules{"read"}));
}

TEST(JudgesTest, an_answer_that_begins_elsewhere_than_it_was_asked) {
  Tale tale;
  tale.sent({1, 2}, 0);
  tale.read(1, {2}, 2).from = 0;
  EXPECT_EQ(tale.rules(), (Rules{"read"}));
}

TEST(JudgesTest, records_above_the_high_watermark) {
  Tale tale;
  tale.sent({1, 2}, 0, Outcome::kInfo);
  tale.read(0, {1, 2}, 1);
  EXPECT_EQ(tale.rules(), (Rules{"read"}));
}

TEST(JudgesTest, damaged_bytes_in_an_answer) {
  Tale tale;
  tale.read(0, {}, 0).damage = "a checksum";
  EXPECT_EQ(tale.rules(), (Rules{"read"}));
}

TEST(JudgesTest, OFFSET_OUT_OF_RANGE_within_the_log) {
  Tale tale;
  tale.sent({1, 2}, 0);
  Read& read = tale.read(1, {}, -1, -1);
  read.code = 1;
  EXPECT_EQ(tale.rules(), (Rules{"read"}));
}

TEST(JudgesTest, a_high_watermark_that_goes_back) {
  Tale tale;
  tale.sent({1, 2}, 0);
  tale.bound(true, 1);
  EXPECT_EQ(tale.rules(), (Rules{"high watermark"}));
}

TEST(JudgesTest, a_high_watermark_that_goes_back_over_a_clean_stop) {
  Tale tale;
  tale.sent({1, 2}, 0);
  tale.ends(EndKind::kStop, at(2, 2), 2);
  tale.read(0, {1}, 1);
  EXPECT_EQ(tale.rules(), (Rules{"high watermark"}));
}

TEST(JudgesTest, an_answer_that_began_before_another_ended_may_be_older) {
  Tale tale;
  tale.sent({1, 2}, 0).span = {1, 10, 0};
  Read& read = tale.read(0, {1}, 1);
  read.span = {9, 11, 0};
  EXPECT_THAT(tale.rules(), IsEmpty());
}

TEST(JudgesTest, a_log_start_that_goes_back_within_a_life) {
  Tale tale;
  tale.sent({1, 2, 3}, 0);
  tale.trimmed(2);
  tale.bound(false, 1);
  EXPECT_EQ(tale.rules(), (Rules{"log start"}));
}

TEST(JudgesTest, a_log_start_may_go_back_over_a_kill_but_not_over_a_stop) {
  for (const EndKind kind : {EndKind::kKill, EndKind::kStop}) {
    Tale tale;
    tale.sent({1, 2, 3}, 0);
    tale.trimmed(2);
    tale.ends(kind, at(3, 3), 3);
    tale.bound(false, 0);
    EXPECT_EQ(tale.rules(), kind == EndKind::kKill ? Rules{} : Rules{"log start"});
  }
}

TEST(JudgesTest, a_log_start_beyond_what_was_to_be_deleted) {
  Tale tale;
  tale.sent({1, 2, 3}, 0);
  tale.trimmed(1);
  tale.bound(false, 2);
  EXPECT_EQ(tale.rules(), (Rules{"log start"}));
}

TEST(JudgesTest, a_retention_may_move_the_log_start) {
  Tale tale;
  tale.topic().may_expire = true;
  tale.sent({1, 2, 3}, 0);
  tale.bound(false, 2);
  EXPECT_THAT(tale.rules(), IsEmpty());
}

TEST(JudgesTest, a_commit_that_is_gone) {
  Tale tale;
  tale.committed(5);
  tale.ends(EndKind::kKill, at(0, 0), 0);
  tale.found_commit(-1);
  EXPECT_EQ(tale.rules(), (Rules{"commit"}));
}

TEST(JudgesTest, an_older_commit_that_is_back) {
  Tale tale;
  tale.committed(5);
  tale.committed(6);
  tale.found_commit(5);
  EXPECT_EQ(tale.rules(), (Rules{"commit"}));
}

TEST(JudgesTest, a_commit_that_nobody_made_or_that_was_refused) {
  Tale tale;
  tale.found_commit(9);
  EXPECT_EQ(tale.rules(), (Rules{"commit"}));
  Tale refused;
  refused.committed(5, Outcome::kFail);
  refused.found_commit(5);
  EXPECT_EQ(refused.rules(), (Rules{"commit"}));
}

TEST(JudgesTest, a_power_loss_may_take_a_commit_unless_it_is_synced) {
  for (const bool synced : {false, true}) {
    Tale tale;
    if (synced) tale.synced();
    tale.committed(5);
    tale.ends(EndKind::kPowerLoss, at(0, 0), 0);
    tale.found_commit(-1);
    EXPECT_EQ(tale.rules(), synced ? Rules{"commit"} : Rules{});
  }
}

TEST(JudgesTest, a_commit_of_which_nobody_knows_may_be_there_or_not) {
  for (const int64_t found : {5, 6}) {
    Tale tale;
    tale.committed(5);
    tale.committed(6, Outcome::kInfo);
    tale.history().commits.back().span.completed = kNever;
    tale.found_commit(found);
    EXPECT_THAT(tale.rules(), IsEmpty());
  }
}

TEST(JudgesTest, a_power_loss_takes_no_commit_where_all_of_its_log_was_synced) {
  for (const int64_t synced : {2, 1}) {
    Tale tale;
    tale.history().topics.push_back({.name = "__consumer_offsets", .created = 1, .there_at_end = true});
    tale.history().group_logs[0] = {1, 0};
    tale.committed(5);
    tale.history().endings.push_back(
        {.era = 0, .kind = EndKind::kPowerLoss, .at = tale.history().tick(), .ends = {{{1, 0}, at(2, synced)}}});
    tale.found_commit(-1);
    EXPECT_EQ(tale.rules(), synced == 2 ? Rules{"commit"} : Rules{});
  }
}

TEST(JudgesTest, leader_epochs_that_rise_and_those_that_a_power_loss_cut_off) {
  Tale tale;
  tale.metadata(0);
  tale.sent({1, 2}, 0);
  tale.read(0, {1, 2}, 2);
  tale.in_epochs({0, 1});
  tale.metadata(1);
  tale.ends(EndKind::kPowerLoss, at(2, 1), 1);
  tale.metadata(1);
  tale.sent({3}, 1);
  tale.metadata(2);
  tale.last_scan(0, {1, 3});
  tale.in_epochs({0, 2});
  EXPECT_THAT(tale.rules(), IsEmpty());
}

TEST(JudgesTest, a_leader_epoch_that_fell_in_answers) {
  Tale tale;
  tale.metadata(2);
  tale.metadata(1);
  EXPECT_EQ(tale.rules(), (Rules{"epoch"}));
  Tale listed;
  listed.metadata(2);
  listed.bound(true, 0);
  listed.history().bounds.back().leader_epoch = 1;
  EXPECT_EQ(listed.rules(), (Rules{"epoch"}));
}

TEST(JudgesTest, an_answer_that_began_before_another_ended_may_have_an_older_epoch) {
  Tale tale;
  tale.metadata(2);
  tale.metadata(1);
  tale.history().epochs[0].span = {1, 10, 0};
  tale.history().epochs[1].span = {9, 11, 0};
  EXPECT_THAT(tale.rules(), IsEmpty());
}

TEST(JudgesTest, a_leader_epoch_that_falls_over_the_offsets) {
  Tale tale;
  tale.sent({1, 2}, 0);
  tale.read(0, {1, 2}, 2);
  tale.in_epochs({1, 0});
  EXPECT_EQ(tale.rules(), (Rules{"epoch"}));
}

TEST(JudgesTest, a_leader_epoch_of_an_offset_that_changed) {
  Tale tale;
  tale.sent({1}, 0);
  tale.read(0, {1}, 1);
  tale.in_epochs({0});
  tale.ends(EndKind::kKill, at(1, 1), 1);
  tale.last_scan(0, {1});
  tale.in_epochs({1});
  EXPECT_EQ(tale.rules(), (Rules{"epoch"}));
}

TEST(JudgesTest, a_batch_of_an_older_epoch_than_was_told_before_it_was_sent) {
  for (const int32_t epoch : {2, 1}) {
    Tale tale;
    tale.metadata(2);
    tale.sent({1}, 0);
    tale.read(0, {1}, 1);
    tale.in_epochs({epoch});
    EXPECT_EQ(tale.rules(), epoch == 2 ? Rules{} : Rules{"epoch"});
  }
}

TEST(JudgesTest, lookups_that_agree_with_what_was_read) {
  Tale tale;
  tale.sent({1, 2, 3}, 0);
  tale.read(0, {1, 2, 3}, 3);
  tale.at_times({10, 30, 20});
  tale.in_epochs({0, 0, 2});
  tale.found_time(5, 10, 0);
  tale.found_time(11, 30, 1);
  tale.found_time(31, -1, -1);
  tale.found_epoch(0, 0, 2);
  tale.found_epoch(1, 0, 2);
  tale.found_epoch(2, 2, 4);
  tale.found_epoch(3, -1, -1);
  tale.trimmed(1);
  tale.found_time(5, 30, 1);
  EXPECT_THAT(tale.rules(), IsEmpty());
}

TEST(JudgesTest, a_lookup_of_a_time_that_found_another_record) {
  struct Answer {
    int64_t asked, timestamp, offset;
  };
  for (const Answer answer : {Answer{5, 30, 1}, Answer{11, 10, 0}, Answer{11, 31, 1}, Answer{15, -1, -1}}) {
    Tale tale;
    tale.sent({1, 2}, 0);
    tale.read(0, {1, 2}, 2);
    tale.at_times({10, 30});
    tale.found_time(answer.asked, answer.timestamp, answer.offset);
    EXPECT_EQ(tale.rules(), (Rules{"lookup"})) << answer.asked << " " << answer.offset;
  }
}

TEST(JudgesTest, a_lookup_of_a_time_that_found_what_was_deleted) {
  Tale tale;
  tale.sent({1, 2}, 0);
  tale.trimmed(1);
  tale.found_time(5, 10, 0);
  EXPECT_EQ(tale.rules(), (Rules{"lookup"}));
}

TEST(JudgesTest, a_lookup_of_an_epoch_that_ends_elsewhere) {
  struct Answer {
    int32_t asked, epoch;
    int64_t end;
  };
  for (const Answer answer : {Answer{0, 0, 1}, Answer{0, 0, 3}, Answer{1, 2, 3}, Answer{2, 0, 2}}) {
    Tale tale;
    tale.sent({1, 2, 3}, 0);
    tale.read(0, {1, 2, 3}, 3);
    tale.in_epochs({0, 0, 2});
    tale.found_epoch(answer.asked, answer.epoch, answer.end);
    EXPECT_EQ(tale.rules(), (Rules{"lookup"})) << answer.asked << " " << answer.epoch << " " << answer.end;
  }
}

TEST(JudgesTest, a_generation_in_which_each_partition_has_one_member) {
  Tale tale;
  tale.handed_out(1, {{"a", "xy"}, {"b", "z"}});
  tale.got(1, "a", "xy");
  tale.got(1, "b", "z");
  tale.got(1, "c", "");
  tale.handed_out(2, {{"b", "xyz"}});
  tale.got(2, "b", "xyz");
  EXPECT_THAT(tale.rules(), IsEmpty());
}

TEST(JudgesTest, a_partition_that_two_members_of_a_generation_have) {
  for (const int32_t generation : {1, 2}) {
    Tale tale;
    tale.handed_out(1, {{"a", "xy"}});
    tale.handed_out(generation, {{"b", "yz"}});
    tale.got(1, "a", "xy");
    tale.got(generation, "b", "yz");
    EXPECT_EQ(tale.rules(), generation == 1 ? Rules{"assignment"} : Rules{});
  }
}

TEST(JudgesTest, a_generation_may_come_again_only_where_a_power_loss_took_the_first) {
  for (const EndKind kind : {EndKind::kKill, EndKind::kPowerLoss}) {
    Tale tale;
    tale.handed_out(1, {{"a", "xy"}});
    tale.got(1, "a", "xy");
    tale.ends(kind, at(0, 0), 0);
    tale.handed_out(1, {{"b", "xy"}});
    tale.got(1, "b", "xy");
    EXPECT_EQ(tale.rules(), kind == EndKind::kKill ? Rules{"assignment"} : Rules{});
  }
}

TEST(JudgesTest, a_member_that_got_what_its_leader_did_not_give) {
  for (const auto& [generation, part] : std::map<int32_t, std::string>{{1, "y"}, {2, "x"}}) {
    Tale tale;
    tale.handed_out(1, {{"a", "x"}, {"b", "y"}});
    tale.got(generation, "a", part);
    EXPECT_EQ(tale.rules(), (Rules{"assignment"}));
  }
}

TEST(JudgesTest, a_commit_of_a_generation_that_is_over) {
  for (const auto outcome : {Outcome::kOk, Outcome::kFail, Outcome::kInfo}) {
    Tale tale;
    tale.handed_out(2, {{"a", "x"}});
    tale.committed(4);
    tale.history().commits.back().generation = 1;
    tale.got(2, "a", "x");
    tale.committed(5, outcome);
    tale.history().commits.back().generation = 1;
    EXPECT_EQ(tale.rules(), outcome == Outcome::kOk ? Rules{"fencing"} : Rules{});
  }
}

TEST(JudgesTest, a_commit_of_the_present_generation_or_of_one_that_a_power_loss_brought_back) {
  for (const int32_t generation : {2, 1}) {
    Tale tale;
    tale.handed_out(2, {{"a", "x"}});
    tale.got(2, "a", "x");
    if (generation == 1) tale.ends(EndKind::kPowerLoss, at(0, 0), 0);
    tale.committed(5);
    tale.history().commits.back().generation = generation;
    EXPECT_THAT(tale.rules(), IsEmpty());
  }
}

TEST(JudgesTest, a_topic_that_is_gone_and_one_that_is_back) {
  Tale gone;
  gone.topic().there_at_end = false;
  EXPECT_EQ(gone.rules(), (Rules{"topic"}));
  Tale back;
  back.topic().delete_invoked = 2;
  back.topic().deleted = 3;
  EXPECT_EQ(back.rules(), (Rules{"topic"}));
}

TEST(JudgesTest, a_topic_that_has_fewer_partitions_than_it_was_given) {
  Tale tale;
  tale.topic().partitions = 2;
  EXPECT_EQ(tale.rules(), (Rules{"topic"}));
}

TEST(JudgesTest, an_oddity_is_a_finding) {
  Tale tale;
  tale.history().oddities.push_back({1, "the high watermark went back"});
  EXPECT_EQ(tale.rules(), (Rules{"oddity"}));
}

}  // namespace
}  // namespace stele::sim::swarm
