"""The records that every witness writes and reads, and the comparison of what came back.

A corpus or dump file has one JSON object a line: partition, key, value, headers ([name, value] pairs) and timestamp
(milliseconds); a dump has offset too. Keys and values are base64, or null."""
import base64
import glob
import json
import time

PARTITIONS = 3
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
BIG_VALUE = 1_040_000  # with the headers of its batch just under the default max.message.bytes, 1,048,588


def encode(data):
    return None if data is None else base64.b64encode(data).decode()


def decode(text):
    return None if text is None else base64.b64decode(text)


def text_lines():
    """Real text that every Debian has."""
    lines = []
    for path in sorted(glob.glob("/usr/share/common-licenses/*")):
        with open(path, "rb") as file:
            lines += [line.rstrip(b"\n") for line in file if line.strip()]
    if len(lines) < 500:
        raise RuntimeError("/usr/share/common-licenses has too little text")
    return lines


def records():
    lines = text_lines()
    now = int(time.time() * 1000) - 3_600_000
    out = []
    for i in range(240):
        out.append({"partition": i % PARTITIONS, "key": lines[i][:24], "value": lines[i * 2], "headers": [],
                    "timestamp": now + i * 11})
    for i in range(0, 240, 5):
        out[i]["key"] = None
    for i in range(0, 240, 7):
        out[i]["headers"] = [("source", b"licenses"), ("line", str(i).encode())]
    for i in range(1, 240, 11):
        if out[i]["key"] is not None:  # aiokafka refuses a record without both
            out[i]["value"] = None
    for i in range(0, 240, 13):
        out[i]["value"] = b""
    out[17]["key"] = b""
    out[18]["value"] = bytes(range(256))
    out[19]["key"] = b"\x00\xff\xfe"
    out[20]["headers"] = [("twice", b"1"), ("twice", b"2"), ("empty", b""), ("null", None), ("binary", b"\x00\x80\xff")]
    text = b"\n".join(lines)
    out[100]["value"] = (text * (BIG_VALUE // len(text) + 1))[:BIG_VALUE]
    return out


def write(path, rows):
    with open(path, "w") as file:
        for row in rows:
            file.write(json.dumps(row | {"key": encode(row["key"]), "value": encode(row["value"]),
                                         "headers": [[n, encode(v)] for n, v in row["headers"]]}) + "\n")


def read(path):
    with open(path) as file:
        return [row | {"key": decode(row["key"]), "value": decode(row["value"]),
                       "headers": [(n, decode(v)) for n, v in row.get("headers") or []]}
                for row in map(json.loads, file)]


def differences(expected, actual, lacks=()):
    """What is wrong with `actual`, in words; empty when it is the same. `lacks` names what a client cannot give:
    'null_value', 'null_key', 'null_header' (it does not tell null from empty), 'header_order' (headers are a map in it,
    so that of one name the last value stays)."""
    problems = []
    for partition in sorted({row["partition"] for row in expected + actual}):
        want = [row for row in expected if row["partition"] == partition]
        got = [row for row in actual if row["partition"] == partition]
        if len(want) != len(got):
            problems.append(f"partition {partition}: {len(got)} records instead of {len(want)}")
            continue
        offsets = [row["offset"] for row in got]
        if any(a >= b for a, b in zip(offsets, offsets[1:])):
            problems.append(f"partition {partition}: offsets out of order: {offsets[:10]}…")
        for index, (a, b) in enumerate(zip(want, got)):
            problems += [f"partition {partition}, record {index}: {text}" for text in _record(a, b, lacks)]
    return problems


def _record(want, got, lacks):
    def seen(value, loose):
        return b"" if value is None and loose else value

    for field in ("key", "value"):
        loose = f"null_{field}" in lacks
        if seen(want[field], loose) != seen(got[field], loose):
            yield f"{field} {_short(got[field])} instead of {_short(want[field])}"
    loose = "null_header" in lacks
    a, b = ([(n, seen(v, loose)) for n, v in row["headers"]] for row in (want, got))
    if "header_order" in lacks:
        a, b = dict(a), dict(b)
    if a != b:
        yield f"headers {b} instead of {a}"
    if want["timestamp"] != got.get("timestamp"):
        yield f"timestamp {got.get('timestamp')} instead of {want['timestamp']}"


def _short(value):
    return value if value is None or len(value) < 60 else f"{value[:40]}… ({len(value)} bytes)"
