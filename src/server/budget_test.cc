#include "server/budget.h"

#include <gtest/gtest.h>

#include "base/executor.h"

namespace stele::server {
namespace {

// Nothing runs: what is set is seen on the signals.
class Idle final : public base::Executor {
 public:
  void post(base::Waiter&) override {}
};

struct Client {
  explicit Client(Budget& budget, Idle& idle) : wake(idle), holder(budget, wake) {}
  base::Signal wake;
  Budget::Holder holder;
};

class BudgetTest : public ::testing::Test {
 protected:
  Idle idle_;
  Budget budget_{100};
};

TEST_F(BudgetTest, charges_up_to_its_limit) {
  Client a{budget_, idle_};
  EXPECT_TRUE(a.holder.charge(60));
  EXPECT_TRUE(a.holder.charge(40));
  EXPECT_TRUE(budget_.exhausted());
  EXPECT_EQ(budget_.available(), 0U);
  EXPECT_EQ(budget_.refusals(), 0U);
}

TEST_F(BudgetTest, one_holder_may_pass_the_limit_so_that_a_full_budget_always_drains) {
  Client a{budget_, idle_};
  Client b{budget_, idle_};
  EXPECT_TRUE(a.holder.charge(90));
  EXPECT_TRUE(b.holder.charge(50)) << "the first that does not fit has the reserve";
  EXPECT_TRUE(b.holder.charge(1000)) << "and keeps it for the whole of its frame";
  EXPECT_FALSE(a.holder.charge(20));
  EXPECT_EQ(budget_.refusals(), 1U);
  EXPECT_EQ(budget_.used(), 1140U) << "what is refused is not charged";
}

TEST_F(BudgetTest, the_reserve_goes_on_once_the_frame_is_whole_or_its_holder_gone) {
  Client a{budget_, idle_};
  Client c{budget_, idle_};
  {
    Client b{budget_, idle_};
    budget_.force(90);
    EXPECT_TRUE(b.holder.charge(50));
    EXPECT_FALSE(a.holder.charge(50));
    b.holder.frame_done();
    EXPECT_TRUE(a.wake.is_set());
    EXPECT_TRUE(a.holder.charge(50));
    EXPECT_FALSE(c.holder.charge(50));
    EXPECT_FALSE(b.holder.charge(50));
  }
  EXPECT_FALSE(c.wake.is_set()) << "another's end changes nothing";
  a.holder.frame_done();
  EXPECT_TRUE(c.wake.is_set());
  EXPECT_TRUE(c.holder.charge(50));
}

TEST_F(BudgetTest, who_waits_for_room_is_woken_when_there_is_some) {
  Client a{budget_, idle_};
  Client b{budget_, idle_};
  budget_.force(120);
  budget_.await_room(a.holder);
  budget_.await_room(b.holder);
  budget_.release(10);
  EXPECT_FALSE(a.wake.is_set()) << "still over the limit";
  budget_.release(20);
  EXPECT_TRUE(a.wake.is_set());
  EXPECT_TRUE(b.wake.is_set());
}

TEST_F(BudgetTest, one_who_leaves_is_not_woken) {
  {
    Client a{budget_, idle_};
    budget_.force(100);
    budget_.await_room(a.holder);
  }
  budget_.release(100);
  EXPECT_EQ(budget_.used(), 0U);
}

TEST_F(BudgetTest, a_charge_is_given_back_with_its_object) {
  {
    BudgetCharge charge;
    charge.add(budget_, 30);
    charge.add(budget_, 80);
    EXPECT_EQ(budget_.used(), 110U) << "it may pass the limit: the bytes are there already";
  }
  EXPECT_EQ(budget_.used(), 0U);
}

TEST_F(BudgetTest, memory_of_an_arena_is_charged_while_it_is_held) {
  ChargedMemory memory{&budget_};
  {
    std::pmr::vector<char> bytes(70, 'x', &memory);
    EXPECT_EQ(budget_.used(), 70U);
  }
  EXPECT_EQ(budget_.used(), 0U);
  ChargedMemory free_of_charge{nullptr};
  const std::pmr::vector<char> bytes(70, 'x', &free_of_charge);
  EXPECT_EQ(budget_.used(), 0U);
}

}  // namespace
}  // namespace stele::server
