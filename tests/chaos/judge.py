#!/usr/bin/env python3
"""Judges a history: what clients did to one broker and what they read back.

    tests/chaos/judge.py history.jsonl

A history is a list of events, one JSON object a line, in the order in which they were seen. A value is named by the
session of the producer that sent it and its number there; numbers rise in the order of sending.
    run       what, seed, refusals        the first event; refusals: whether a producer may be refused records
    session   s, topic, idempotent        a producer begins
    send      s, p, n                     written down before the client is given the record
    ack, fail s, p, n, o | why            what the client said of it; o is -1 where the broker did not tell the offset
    read      r, topic, p, o, s, n        seen by a reader that follows the log, from wherever it began
    scan      topic, p, rows, floor       the partition from its start to its end, rows of (o, s, n). With a floor, a
                                          power loss came before: what lay at or past it may have gone, as one suffix
    commit    g, topic, p, o              a group's offset, written down before it is sent
    committed g, topic, p, o              the broker said yes
    offset    g, topic, p, o, lossy       read back; lossy: a power loss may have taken the latest commits
    create, created, delete, deleted name topics of their own, in the same two steps
    topics    names                       every topic that the broker lists
    note      what                        a fault, for those who read the file
A value that nobody sent is s = "?", with its first bytes as n."""
import collections
import json
import sys

SHOWN = 3


class Partition:
    def __init__(self):
        self.known, self.acked, self.acked_somewhere = {}, {}, set()


class Judge:
    def __init__(self, events):
        self.events, self.problems, self.count = events, [], collections.Counter()
        self.sessions = {e["s"]: e for e in events if e["e"] == "session"}
        self.sent = {(e["s"], e["n"]): e["p"] for e in events if e["e"] == "send"}
        self.all_acked = {(e["s"], e["n"]) for e in events if e["e"] == "ack"}
        self.partitions = collections.defaultdict(Partition)
        self.last_ack, self.last_read = {}, {}
        self.attempted, self.committed, self.topics = {}, {}, {}

    def problem(self, key, text):
        """A few of one kind in one partition are enough."""
        kind = key, text[:20]
        self.count[kind] += 1
        if self.count[kind] <= SHOWN:
            self.problems.append(f"{key[0]}-{key[1]}: {text}")

    def verdict(self):
        """Every rule that was broken, in words; empty when none was."""
        for event in self.events:
            if rule := getattr(self, "_" + event["e"], None):
                rule(event)
        self._at_the_end()
        left_out = sum(count - SHOWN for count in self.count.values() if count > SHOWN)
        return self.problems + ([f"and {left_out} more of the same kinds"] if left_out else [])

    def _key(self, event):
        return event.get("topic") or self.sessions[event["s"]]["topic"], event["p"]

    def _ack(self, event):
        key, value, offset = self._key(event), (event["s"], event["n"]), event["o"]
        partition = self.partitions[key]
        if offset < 0:
            partition.acked_somewhere.add(value)
            return
        self._learn(key, offset, value, "acknowledged")
        partition.acked[offset] = value
        before = self.last_ack.get((event["s"], key))
        if before and (event["n"] > before[0]) != (offset > before[1]):
            self.problem(key, f"{event['s']}: number {event['n']} at offset {offset}, {before[0]} at {before[1]}: "
                              "another order than they were sent in")
        self.last_ack[event["s"], key] = event["n"], offset

    def _read(self, event):
        key, offset = self._key(event), event["o"]
        before = self.last_read.get((event["r"], key))
        if before is not None and offset != before + 1:
            self.problem(key, f"reader {event['r']} came from offset {before} to {offset}")
        self.last_read[event["r"], key] = offset
        self._learn(key, offset, (event["s"], event["n"]), "read")

    def _learn(self, key, offset, value, how):
        there = self.partitions[key].known.setdefault(offset, value)
        if there != value:
            self.problem(key, f"two values at offset {offset}: {there} and {value}, which was {how}")
        if self.sent.get(value) != key[1] or self.sessions[value[0]]["topic"] != key[0]:
            self.problem(key, f"offset {offset} holds {value}, which nobody sent there")

    def _scan(self, event):
        key, rows = self._key(event), [(o, (s, n)) for o, s, n in event["rows"]]
        offsets = [o for o, _ in rows]
        if offsets != list(range(len(rows))):
            gap = next(i for i, o in enumerate(offsets) if o != i)
            self.problem(key, f"offset {offsets[gap]} stands where {gap} should be")
        self._lost(key, event.get("floor"), rows)
        for offset, value in rows:
            self._learn(key, offset, value, "stored")
        self._order_and_copies(key, [value for _, value in rows])

    def _lost(self, key, floor, rows):
        partition, end = self.partitions[key], rows[-1][0] + 1 if rows else 0
        must_stay = float("inf") if floor is None else floor
        if floor is not None and end < floor:
            self.problem(key, f"ends at {end}, although it was on stable storage up to {floor}")
        lost = sorted(o for o in partition.acked if end <= o < must_stay)
        unseen = sorted(o for o in partition.known if end <= o < must_stay and o not in partition.acked)
        if lost:
            self.problem(key, f"{len(lost)} acknowledged records are lost, at offsets {lost[:SHOWN]} past the end {end}")
        if unseen:
            self.problem(key, f"{len(unseen)} records were read and are gone, at offsets {unseen[:SHOWN]}")
        stored = {value for _, value in rows}
        if floor is None:
            if nowhere := sorted(partition.acked_somewhere - stored):
                self.problem(key, f"{len(nowhere)} acknowledged records are lost, {nowhere[:SHOWN]}")
        else:
            partition.acked_somewhere &= stored
        for table in (partition.known, partition.acked):
            for offset in [o for o in table if o >= end]:
                del table[offset]

    def _order_and_copies(self, key, values):
        of_session = collections.defaultdict(list)
        for session, number in values:
            if session in self.sessions:
                of_session[session].append(number)
        for session, numbers in of_session.items():
            idempotent = self.sessions[session]["idempotent"]
            if idempotent and (copies := len(numbers) - len(set(numbers))):
                self.problem(key, f"{session}: {copies} duplicates of an idempotent producer")
            # What a plain producer gave up may still arrive, at any later time.
            first = [n for n in dict.fromkeys(numbers) if idempotent or (session, n) in self.all_acked]
            late = [(a, b) for a, b in zip(first, first[1:]) if a > b]
            if late:
                self.problem(key, f"{session}: number {late[0][0]} is stored before {late[0][1]}")

    def _commit(self, event):
        at = event["g"], *self._key(event)
        self.attempted[at] = max(event["o"], self.attempted.get(at, 0))

    def _committed(self, event):
        self.committed[event["g"], *self._key(event)] = event["o"]

    def _offset(self, event):
        at, key = (event["g"], *self._key(event)), self._key(event)
        if event["o"] < self.committed.get(at, -1) and not event.get("lossy"):
            self.problem(key, f"group {event['g']} committed {self.committed[at]} and finds {event['o']}")
        if event["o"] > self.attempted.get(at, -1):
            self.problem(key, f"group {event['g']} finds {event['o']}, which it never committed")
        if event.get("lossy"):
            self.committed[at] = event["o"]

    def _topics(self, event):
        """What the events before say of each name; the last one counts."""
        names = set(event["names"])
        for name, last in self.topics.items():
            if last == "created" and name not in names:
                self.problems.append(f"topic {name} was created and is gone")
            if last == "deleted" and name in names:
                self.problems.append(f"topic {name} was deleted and is back")

    def _made(self, event):
        self.topics[event["name"]] = event["e"]

    _create = _created = _delete = _deleted = _made

    def _fail(self, event):
        if not self.events[0].get("refusals"):
            self.problem(self._key(event), f"{event['s']}: number {event['n']} was refused: {event['why']}")

    def _at_the_end(self):
        last = {self._key(e): i for i, e in enumerate(self.events) if e["e"] == "scan"}
        changed = {self._key(e): i for i, e in enumerate(self.events) if e["e"] in ("ack", "read")}
        for key, at in changed.items():
            if last.get(key, -1) < at:
                self.problem(key, "was not scanned after the last acknowledgement: there is no verdict on it")
        for topic in sorted({s["topic"] for s in self.sessions.values()}):
            if not any(self.sessions[s]["topic"] == topic for s, _ in self.all_acked):
                self.problems.append(f"{topic}: nothing was acknowledged")


def problems(events):
    return Judge(events).verdict()


def figures(events):
    count = collections.Counter(e["e"] for e in events)
    rows = {(e["topic"], e["p"]): len(e["rows"]) for e in events if e["e"] == "scan"}
    text = f"{count['send']} sent, {count['ack']} acknowledged, {sum(rows.values())} read back"
    parts = [(count["fail"], "refused"), (count["committed"], "offsets committed"), (count["created"], "topics created"),
             (sum(1 for e in events if e.get("floor", 0) > 0), "recovery points held")]
    return ", ".join([text, *(f"{number} {what}" for number, what in parts if number)])


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        events = [json.loads(line) for line in file]
    found = problems(events)
    print("\n".join([*found, figures(events)]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
