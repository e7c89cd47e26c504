#!/usr/bin/env python3
"""The judges of tests/peers must see what they are there for: a lost, changed, reordered or doubled record."""
import importlib.machinery
import importlib.util
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from harness import corpus, wire  # noqa: E402


def program(name):
    loader = importlib.machinery.SourceFileLoader(name, str(HERE / name))
    spec = importlib.util.spec_from_loader(name, loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def read_back():
    """A corpus as a faultless broker gives it back."""
    wanted, ends, rows = corpus.records(), {}, []
    for row in wanted:
        ends[row["partition"]] = ends.get(row["partition"], -1) + 1
        rows.append(row | {"offset": ends[row["partition"]]})
    return wanted, rows


class Differences(unittest.TestCase):
    def setUp(self):
        self.wanted, self.rows = read_back()

    def assert_seen(self, lacks=()):
        self.assertTrue(corpus.differences(self.wanted, self.rows, lacks))

    def test_a_faultless_copy_has_none(self):
        self.assertEqual(corpus.differences(self.wanted, self.rows), [])

    def test_a_lost_record_is_seen(self):
        del self.rows[100]
        self.assert_seen()

    def test_a_doubled_record_is_seen(self):
        self.rows.append(self.rows[-1])
        self.assert_seen()

    def test_two_records_in_the_wrong_order_are_seen(self):
        self.rows[30], self.rows[33] = self.rows[33], self.rows[30]
        self.assert_seen()

    def test_one_changed_byte_is_seen(self):
        for field in ("key", "value"):
            self.setUp()
            data = bytearray(self.rows[100][field] or self.rows[101][field])
            data[-1] ^= 1
            self.rows[100][field] = bytes(data)
            self.assert_seen()

    def test_null_is_not_empty(self):
        row = next(r for r in self.rows if r["value"] == b"")
        row["value"] = None
        self.assert_seen()
        self.assertEqual(corpus.differences(self.wanted, self.rows, {"null_value"}), [])

    def test_headers_and_timestamps_count(self):
        self.rows[20]["headers"] = self.rows[20]["headers"][:-1]
        self.assert_seen({"null_header"})
        self.setUp()
        self.rows[20]["timestamp"] += 1
        self.assert_seen()


class GroupAnswers(unittest.TestCase):
    NOT_YET = ('{"errorCode":15,"errorMessage":"The coordinator is not available.","nodeId":-1,"host":"","port":-1}')
    FOUND = '{"errorCode":0,"errorMessage":"NONE","nodeId":1,"host":"10.0.0.1","port":25000}'

    def differ(self, want, got, head=""):
        return program("groups/compare").differences(*(f"{head}  a <- {text}\nsleep 1\n" for text in (want, got)))

    def test_addresses_and_the_order_of_groups_are_left_out(self):
        self.assertEqual(self.differ(self.FOUND, self.FOUND.replace("25000", "9092")), [])
        one, two = '{"groupId":"a","groupType":"classic"}', '{"groupId":"b","groupType":"classic"}'
        self.assertEqual(self.differ(f'{{"groups":[{one},{two}]}}', f'{{"groups":[{two},{one}]}}'), [])

    def test_another_answer_is_seen(self):
        self.assertTrue(self.differ('{"errorCode":0,"generationId":1}', '{"errorCode":0,"generationId":2}'))
        self.assertTrue(self.differ('{"groups":[{"groupId":"a","groupType":"classic"}]}', '{"groups":[]}'))

    def test_a_coordinator_may_come_late_at_first_only(self):
        self.assertEqual(self.differ(self.NOT_YET, self.FOUND), [])
        self.assertTrue(self.differ(self.NOT_YET, self.FOUND, head="sleep 1\n"))


class Wire(unittest.TestCase):
    def test_crc32c_of_the_check_string(self):
        self.assertEqual(wire.crc32c(b"123456789"), 0xE3069283)

    def test_varints_are_zigzag(self):
        self.assertEqual([wire.varint(n) for n in (0, -1, 1, 64, -65)], [b"\0", b"\1", b"\2", b"\x80\1", b"\x81\1"])


if __name__ == "__main__":
    unittest.main()
