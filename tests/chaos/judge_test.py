#!/usr/bin/env python3
"""The judge must see each broken rule: every test breaks a faultless history in one way."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import judge  # noqa: E402

IDEMPOTENT, PLAIN = "i", "q"


def faultless():
    """Two producers, each into its own topic of two partitions, ten records each; a reader, a group, a scan."""
    events = [{"e": "run", "what": "by hand", "seed": 0}]
    rows = {}
    for s, topic in ((IDEMPOTENT, "it"), (PLAIN, "qt")):
        events.append({"e": "session", "s": s, "topic": topic, "idempotent": s == IDEMPOTENT})
        for n in range(20):
            p, o = n % 2, n // 2
            events.append({"e": "send", "s": s, "p": p, "n": n})
            events.append({"e": "ack", "s": s, "p": p, "n": n, "o": o})
            events.append({"e": "read", "r": "r", "topic": topic, "p": p, "o": o, "s": s, "n": n})
            rows.setdefault((topic, p), []).append([o, s, n])
    events += [{"e": kind, "g": "g", "topic": "it", "p": 0, "o": o} for o in (3, 7) for kind in ("commit", "committed")]
    events.append({"e": "offset", "g": "g", "topic": "it", "p": 0, "o": 7})
    events += [{"e": "scan", "topic": t, "p": p, "rows": r} for (t, p), r in rows.items()]
    return events


class Histories(unittest.TestCase):
    def setUp(self):
        self.events = faultless()

    def rows(self, topic, partition=0):
        return next(e["rows"] for e in self.events if e["e"] == "scan" and (e["topic"], e["p"]) == (topic, partition))

    def scan(self, topic, partition=0):
        return next(e for e in self.events if e["e"] == "scan" and (e["topic"], e["p"]) == (topic, partition))

    def event(self, kind, **fields):
        return next(e for e in self.events if e["e"] == kind and all(e.get(k) == v for k, v in fields.items()))

    def without_reads(self):
        self.events = [e for e in self.events if e["e"] != "read"]

    def assert_fine(self):
        self.assertEqual(judge.problems(self.events), [])

    def assert_seen(self, text):
        found = judge.problems(self.events)
        self.assertTrue(any(text in problem for problem in found), found)


class Losses(Histories):
    def test_a_faultless_history_has_no_problem(self):
        self.assert_fine()

    def test_a_lost_end_is_seen(self):
        self.without_reads()
        self.rows("it").pop()
        self.assert_seen("1 acknowledged records are lost")

    def test_a_lost_record_of_acks_1_is_seen_even_if_nobody_read_it(self):
        self.without_reads()
        del self.rows("qt", 1)[5:]
        self.assert_seen("5 acknowledged records are lost")

    def test_a_partition_that_comes_back_empty_is_seen(self):
        self.rows("it", 1).clear()
        self.assert_seen("10 acknowledged records are lost")

    def test_a_record_that_was_read_and_is_gone_is_seen(self):
        self.events.remove(self.event("ack", s=IDEMPOTENT, n=18))
        self.rows("it").pop()
        self.assert_seen("were read and are gone")

    def test_an_acknowledgement_without_an_offset_counts(self):
        self.without_reads()
        self.event("ack", s=IDEMPOTENT, n=18)["o"] = -1
        self.assert_fine()
        self.rows("it").pop()
        self.assert_seen("1 acknowledged records are lost")

    def test_a_partition_that_was_not_scanned_is_seen(self):
        self.events.remove(self.scan("it"))
        self.assert_seen("no verdict")

    def test_a_scan_before_the_last_acknowledgement_is_not_enough(self):
        scan = self.scan("it")
        self.events.remove(scan)
        self.events.insert(self.events.index(self.event("ack", s=IDEMPOTENT, n=18)), scan)
        self.assert_seen("no verdict")

    def test_a_topic_without_any_acknowledgement_is_seen(self):
        self.events = [e for e in self.events if e.get("topic") != "qt" or e["e"] == "session"]
        self.events = [e for e in self.events if e["e"] != "ack" or e["s"] != PLAIN]
        self.assert_seen("qt: nothing was acknowledged")


class PowerLosses(Histories):
    def setUp(self):
        super().setUp()
        self.without_reads()

    def test_what_lay_past_the_floor_may_go(self):
        del self.rows("it")[6:]
        self.scan("it")["floor"] = 6
        self.assert_fine()

    def test_what_lay_below_the_floor_must_stay(self):
        del self.rows("it")[6:]
        self.scan("it")["floor"] = 7
        self.assert_seen("ends at 6, although it was on stable storage up to 7")
        self.assert_seen("1 acknowledged records are lost")

    def test_only_a_suffix_may_go(self):
        self.scan("it")["floor"] = 4
        del self.rows("it")[5]
        self.assert_seen("offset 6 stands where 5 should be")

    def test_another_value_may_take_the_place_of_one_that_went(self):
        del self.rows("it")[6:]
        self.scan("it")["floor"] = 6
        self.events += [{"e": "send", "s": IDEMPOTENT, "p": 0, "n": 20},
                        {"e": "ack", "s": IDEMPOTENT, "p": 0, "n": 20, "o": 6},
                        {"e": "scan", "topic": "it", "p": 0, "rows": [*self.rows("it"), [6, IDEMPOTENT, 20]]}]
        found = judge.problems(self.events)
        self.assertFalse(any("two values" in text for text in found), found)

    def test_what_was_there_after_the_power_loss_must_stay(self):
        del self.rows("it")[6:]
        self.scan("it")["floor"] = 6
        self.events.append({"e": "scan", "topic": "it", "p": 0, "rows": self.rows("it")[:5]})
        self.assert_seen("1 acknowledged records are lost")

    def test_a_group_may_lose_its_last_commits_in_a_power_loss_only(self):
        self.event("offset", g="g")["o"] = 3
        self.assert_seen("committed 7 and finds 3")
        self.event("offset", g="g")["lossy"] = True
        self.assert_fine()


class Values(Histories):
    def test_two_values_at_one_offset_are_seen(self):
        self.event("read", topic="it", p=0, o=4)["n"] = 10
        self.assert_seen("two values at offset 4")

    def test_an_acknowledged_offset_that_holds_something_else_is_seen(self):
        self.without_reads()
        rows = self.rows("qt")
        rows[3][2], rows[4][2] = rows[4][2], rows[3][2]
        self.assert_seen("two values at offset 3")

    def test_bytes_that_nobody_sent_are_seen(self):
        self.rows("it")[9][1:] = ["?", "\0\0\0"]
        self.assert_seen("nobody sent")

    def test_a_record_in_a_partition_it_was_not_sent_to_is_seen(self):
        self.rows("it").append([10, IDEMPOTENT, 19])
        self.assert_seen("nobody sent there")

    def test_a_hole_is_seen(self):
        self.without_reads()
        self.events.remove(self.event("ack", s=IDEMPOTENT, n=8))
        del self.rows("it")[4]
        self.assert_seen("offset 5 stands where 4 should be")

    def test_a_reader_that_skips_or_goes_back_is_seen(self):
        self.events.remove(self.event("read", topic="qt", p=1, o=4))
        self.assert_seen("came from offset 3 to 5")
        self.events = faultless()
        self.events.append(dict(self.event("read", topic="qt", p=1, o=4)))
        self.events.append(self.scan("qt", 1))
        self.assert_seen("came from offset 9 to 4")


class Order(Histories):
    def test_a_duplicate_is_a_problem_of_the_idempotent_producer_alone(self):
        self.rows("qt").append([10, PLAIN, 18])
        self.assert_fine()
        self.rows("it").append([10, IDEMPOTENT, 18])
        self.assert_seen("1 duplicates of an idempotent producer")

    def test_an_older_duplicate_of_a_plain_producer_is_no_other_order(self):
        self.rows("qt").append([10, PLAIN, 2])
        self.assert_fine()

    def test_acknowledged_records_in_another_order_are_seen(self):
        for offset, number in ((4, 10), (5, 8)):
            self.event("ack", s=PLAIN, n=number)["o"] = offset
        self.assert_seen("another order than they were sent in")

    def test_stored_records_in_another_order_are_seen(self):
        self.without_reads()
        self.events = [e for e in self.events if e["e"] != "ack" or e["n"] not in (8, 10) or e["s"] != IDEMPOTENT]
        self.rows("it")[4][2], self.rows("it")[5][2] = 10, 8
        self.assert_seen("number 10 is stored before 8")

    def test_what_a_plain_producer_gave_up_may_come_late(self):
        self.without_reads()
        self.events[0]["refusals"] = True
        self.event("ack", s=PLAIN, n=18).update({"e": "fail", "why": "timed out"})
        self.events += [{"e": "send", "s": PLAIN, "p": 0, "n": 20}, {"e": "ack", "s": PLAIN, "p": 0, "n": 20, "o": 9},
                        {"e": "scan", "topic": "qt", "p": 0,
                         "rows": [*self.rows("qt")[:9], [9, PLAIN, 20], [10, PLAIN, 18]]}]
        self.events.remove(self.scan("qt"))
        self.assert_fine()


class Others(Histories):
    def test_a_refusal_is_a_problem_unless_the_run_expects_it(self):
        self.events.insert(-4, {"e": "send", "s": PLAIN, "p": 0, "n": 20})
        self.events.insert(-4, {"e": "fail", "s": PLAIN, "p": 0, "n": 20, "why": "timed out"})
        self.assert_seen("was refused: timed out")
        self.events[0]["refusals"] = True
        self.assert_fine()

    def test_a_commit_that_is_forgotten_is_seen(self):
        self.event("offset", g="g")["o"] = 3
        self.assert_seen("committed 7 and finds 3")

    def test_an_offset_that_was_never_committed_is_seen(self):
        self.event("offset", g="g")["o"] = 8
        self.assert_seen("never committed")

    def test_an_attempted_commit_may_have_happened(self):
        self.events.insert(-5, {"e": "commit", "g": "g", "topic": "it", "p": 0, "o": 9})
        self.event("offset", g="g")["o"] = 9
        self.assert_fine()


class Topics(Histories):
    def told(self, *kinds, listed):
        self.events += [{"e": kind, "name": "t"} for kind in kinds]
        self.events.append({"e": "topics", "names": ["it", "qt", *(["t"] if listed else [])]})

    def test_a_topic_that_was_created_and_is_gone_is_seen(self):
        self.told("create", "created", listed=False)
        self.assert_seen("created and is gone")

    def test_a_topic_that_was_deleted_and_is_back_is_seen(self):
        self.told("create", "created", "delete", "deleted", listed=True)
        self.assert_seen("deleted and is back")

    def test_what_was_not_answered_may_have_happened_or_not(self):
        for kinds in (["create"], ["create", "created", "delete"]):
            for listed in (False, True):
                self.setUp()
                self.told(*kinds, listed=listed)
                self.assert_fine()


if __name__ == "__main__":
    unittest.main()
