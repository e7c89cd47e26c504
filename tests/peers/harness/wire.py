"""A minimal client on raw sockets: just enough of the protocol to ask a broker whether it serves, and to send one
hand-made batch twice. It shares no code with any client under test."""
import socket
import struct

NO_ERROR = 0
DUPLICATE_SEQUENCE_NUMBER = 46


class WireError(Exception):
    pass


class Connection:
    """One connection; requests are answered one at a time."""

    def __init__(self, address, timeout=10.0):
        host, port = address.rsplit(":", 1)
        self._socket = socket.create_connection((host, int(port)), timeout)
        self._correlation = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def call(self, key, version, body):
        """Sends a request with header v1, returns a Reader on the body of the answer (header v0)."""
        self._correlation += 1
        frame = struct.pack(">hhih", key, version, self._correlation, 5) + b"peers" + body
        self._socket.sendall(struct.pack(">i", len(frame)) + frame)
        answer = Reader(self._exactly(struct.unpack(">i", self._exactly(4))[0]))
        if answer.i32() != self._correlation:
            raise WireError("an answer to another request")
        return answer

    def _exactly(self, count):
        parts = []
        while count:
            part = self._socket.recv(count)
            if not part:
                raise WireError("connection closed by the broker")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


class Reader:
    def __init__(self, data):
        self._data, self._at = data, 0

    def _take(self, form):
        value, = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return value

    def i8(self): return self._take(">b")
    def i16(self): return self._take(">h")
    def i32(self): return self._take(">i")
    def i64(self): return self._take(">q")

    def uvarint(self):
        value = shift = 0
        while (byte := self.i8()) < 0:
            value |= (byte & 0x7F) << shift
            shift += 7
        return value | byte << shift

    def skip(self, size):
        self._at += size

    def bytes(self, size):
        self._at += size
        return self._data[self._at - size:self._at]

    def string(self):
        size = self.i16()
        if size < 0:
            return None
        text = self._data[self._at:self._at + size].decode()
        self._at += size
        return text

    def array(self, item):
        return [item() for _ in range(max(0, self.i32()))]


def string(text):
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def api_versions(address):
    """{api key: (lowest, highest version)}"""
    with Connection(address) as connection:
        answer = connection.call(18, 0, b"")
        if error := answer.i16():
            raise WireError(f"ApiVersions answered error {error}")
        return {key: (low, high) for key, low, high in
                answer.array(lambda: (answer.i16(), answer.i16(), answer.i16()))}


def finalized_features(address):
    """{feature: level} by ApiVersions v3."""
    software = b"\x06peers" + b"\x021" + b"\0"
    with Connection(address) as connection:
        answer = connection.call(18, 3, b"\0" + software)  # the first byte ends the header v2: no tags
        if error := answer.i16():
            raise WireError(f"ApiVersions answered error {error}")
        for _ in range(answer.uvarint() - 1):
            answer.i16(), answer.i16(), answer.i16(), answer.uvarint()
        answer.i32()
        features = {}
        for _ in range(answer.uvarint()):
            tag, size = answer.uvarint(), answer.uvarint()
            if tag != 2:
                answer.skip(size)
                continue
            for _ in range(answer.uvarint() - 1):
                name = answer.bytes(answer.uvarint() - 1).decode()
                features[name] = answer.i16()
                answer.i16(), answer.uvarint()
        return features


def metadata(address, topics=None):
    """({broker id: (host, port)}, {topic: (error, {partition: (error, leader)})}) by Metadata v1."""
    names = struct.pack(">i", -1) if topics is None else struct.pack(">i", len(topics)) + b"".join(map(string, topics))
    with Connection(address) as connection:
        answer = connection.call(3, 1, names)

        def broker():
            node, host, port, _ = answer.i32(), answer.string(), answer.i32(), answer.string()
            return node, (host, port)

        def partition():
            error, index, leader = answer.i16(), answer.i32(), answer.i32()
            answer.array(answer.i32), answer.array(answer.i32)
            return index, (error, leader)

        def topic():
            error, name, _ = answer.i16(), answer.string(), answer.i8()
            return name, (error, dict(answer.array(partition)))

        brokers = dict(answer.array(broker))
        answer.i32()
        return brokers, dict(answer.array(topic))


def end_offsets(address, topic, partitions):
    """[(error, end offset)] of partitions 0..n-1 by ListOffsets v1."""
    body = struct.pack(">ii", -1, 1) + string(topic) + struct.pack(">i", partitions)
    body += b"".join(struct.pack(">iq", p, -1) for p in range(partitions))
    with Connection(address) as connection:
        answer = connection.call(2, 1, body)

        def partition():
            index, error, _, offset = answer.i32(), answer.i16(), answer.i64(), answer.i64()
            return index, error, offset

        (topics,) = answer.array(lambda: (answer.string(), answer.array(partition)))
        return [(error, offset) for _, error, offset in sorted(topics[1])]


def served(address, topic, partitions):
    """Whether the leaders of a new topic answer for it. Apache Kafka shows a leader in Metadata a moment before that,
    and a Produce in that moment is refused: lost with acks=0, out of order when a plain producer pipelines."""
    return all(error == NO_ERROR for error, _ in end_offsets(address, topic, partitions))


def init_producer_id(address):
    """(producer id, epoch) by InitProducerId v0, without a transactional id."""
    with Connection(address) as connection:
        answer = connection.call(22, 0, struct.pack(">hi", -1, 60000))
        answer.i32()
        if error := answer.i16():
            raise WireError(f"InitProducerId answered error {error}")
        return answer.i64(), answer.i16()


def produce(address, topic, partition, batch):
    """(error, base offset) by Produce v3 with acks=all."""
    body = struct.pack(">hhi", -1, -1, 30000) + struct.pack(">i", 1) + string(topic)
    body += struct.pack(">ii", 1, partition) + struct.pack(">i", len(batch)) + batch
    with Connection(address, 40) as connection:
        answer = connection.call(0, 3, body)
        answer.i32(), answer.string(), answer.i32(), answer.i32()
        return answer.i16(), answer.i64()


def batch(producer_id, epoch, sequence, values, timestamp):
    """A record batch v2, uncompressed, null keys."""
    records = b"".join(_record(delta, value) for delta, value in enumerate(values))
    count = len(values)
    checked = struct.pack(">hiqqqhii", 0, count - 1, timestamp, timestamp, producer_id, epoch, sequence, count) + records
    return struct.pack(">qiibI", 0, 4 + 1 + 4 + len(checked), -1, 2, crc32c(checked)) + checked


def _record(delta, value):
    body = b"\0" + varint(0) + varint(delta) + varint(-1) + varint(len(value)) + value + varint(0)
    return varint(len(body)) + body


def varint(value):
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
