import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.feature.SupportedVersionRange;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.KRaftVersionRecord;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.message.SnapshotFooterRecord;
import org.apache.kafka.common.message.SnapshotHeaderRecord;
import org.apache.kafka.common.message.VotersRecord;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.common.utils.ByteBufferOutputStream;

/** Batches as Kafka's own builder writes them: one line each of name, bytes in hex, and what Kafka reads in them. */
final class GoldenBatches {
    private static final long TIME = 1700000000000L;
    private final PrintStream out;

    GoldenBatches(PrintStream out) {
        this.out = out;
    }

    void write() {
        for (CompressionType codec : CompressionType.values()) {
            for (byte magic = 0; magic <= 2; magic++) {
                if (codec == CompressionType.ZSTD && magic < 2) continue;
                sets(codec, magic);
            }
            producers(codec);
        }
        levels();
        control();
        gaps();
    }

    private void line(String name, MemoryRecords records) {
        ByteBuffer buffer = records.buffer().duplicate();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        out.println(name + "\t" + HexFormat.of().formatHex(bytes) + "\t" + Dump.of(bytes));
    }

    static byte[] text(String value) {
        return value == null ? null : value.getBytes(StandardCharsets.UTF_8);
    }

    static SimpleRecord record(long timestamp, String key, String value, Header... headers) {
        return new SimpleRecord(timestamp, text(key), text(value), headers);
    }

    static List<SimpleRecord> plain() {
        return List.of(record(TIME, "key", "value"), record(TIME + 5, null, "no key"), record(TIME - 3, "gone", null),
            record(TIME + 2, "", ""), record(TIME + 4, null, null));
    }

    static List<SimpleRecord> withHeaders() {
        return List.of(
            record(TIME, "k", "v", new RecordHeader("h1", text("x")), new RecordHeader("h2", (byte[]) null)),
            record(TIME, "k", "v", new RecordHeader("", new byte[0])),
            record(TIME + 1000000, "k", "v"));
    }

    private static List<SimpleRecord> large(int size) {
        byte[] noise = new byte[size];
        new Random(7).nextBytes(noise);
        byte[] zeros = new byte[3 * size];
        return List.of(new SimpleRecord(TIME, text("noise"), noise), new SimpleRecord(TIME, text("zeros"), zeros),
            record(TIME, "last", "one"));
    }

    private void sets(CompressionType codec, byte magic) {
        Compression compression = Compression.of(codec).build();
        String name = codec.name + "-v" + magic;
        TimestampType create = magic == 0 ? TimestampType.NO_TIMESTAMP_TYPE : TimestampType.CREATE_TIME;
        line(name + "-plain", build(compression, magic, create, 0, plain()));
        line(name + "-offset", build(compression, magic, create, 123456789012L, plain()));
        line(name + "-large", build(compression, magic, create, 5, large(300)));
        if (magic > 0) line(name + "-append-time", build(compression, magic, TimestampType.LOG_APPEND_TIME, 10, plain()));
        if (magic == 2) {
            line(name + "-headers", build(compression, magic, create, 0, withHeaders()));
            line(name + "-no-timestamp", build(compression, magic, create, 0, List.of(record(-1, "a", "b"))));
            if (codec == CompressionType.NONE) return;
            line(name + "-blocks", build(compression, magic, create, 0, List.of(new SimpleRecord(TIME, null, new byte[200000]))));
            line(name + "-many", build(compression, magic, create, 0, Collections.nCopies(40, new SimpleRecord(TIME, text("k"), new byte[3001]))));
        }
    }

    static MemoryRecords build(Compression compression, byte magic, TimestampType type, long base, List<SimpleRecord> records) {
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1024), magic, compression, type, base, TIME + 777);
        records.forEach(builder::append);
        return builder.build();
    }

    private void producers(CompressionType codec) {
        Compression compression = Compression.of(codec).build();
        SimpleRecord[] records = plain().toArray(new SimpleRecord[0]);
        line(codec.name + "-idempotent", MemoryRecords.withIdempotentRecords(compression, 4711L, (short) 3, 9, records));
        line(codec.name + "-transactional", MemoryRecords.withTransactionalRecords(compression, 4711L, (short) 3, 0, records));
        line(codec.name + "-sequence-wraps", MemoryRecords.withIdempotentRecords(compression, 1L, (short) 0, Integer.MAX_VALUE - 1, records));
        line(codec.name + "-sequence-zero-without-producer", builder(compression, -1L, (short) -1, 0, false, false, -1, plain()));
        line(codec.name + "-metadata", builder(compression, -1L, (short) -1, -1, false, false, 12, plain()));
        MemoryRecordsBuilder horizon = new MemoryRecordsBuilder(new ByteBufferOutputStream(1024), (byte) 2, compression,
            TimestampType.CREATE_TIME, 20L, 0L, -1L, (short) -1, -1, false, false, 4, Integer.MAX_VALUE, TIME + 99);
        plain().forEach(horizon::append);
        line(codec.name + "-delete-horizon", horizon.build());
    }

    private static MemoryRecords builder(Compression compression, long producer, short epoch, int sequence,
                                         boolean transactional, boolean control, int leaderEpoch, List<SimpleRecord> records) {
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(512), (byte) 2, compression,
            TimestampType.CREATE_TIME, 50L, 0L, producer, epoch, sequence, transactional, control, leaderEpoch);
        records.forEach(builder::append);
        return builder.build();
    }

    private void levels() {
        for (int level : new int[] {1, 9}) {
            line("gzip-level-" + level, build(Compression.gzip().level(level).build(), (byte) 2, TimestampType.CREATE_TIME, 0, large(500)));
        }
        for (int level : new int[] {1, 17}) {
            line("lz4-level-" + level, build(Compression.lz4().level(level).build(), (byte) 2, TimestampType.CREATE_TIME, 0, large(500)));
        }
        for (int level : new int[] {-5, 1, 19, 22}) {
            line("zstd-level-" + level, build(Compression.zstd().level(level).build(), (byte) 2, TimestampType.CREATE_TIME, 0, large(500)));
        }
    }

    private void control() {
        line("marker-commit", MemoryRecords.withEndTransactionMarker(77L, TIME, 5, 4711L, (short) 3,
            new EndTransactionMarker(ControlRecordType.COMMIT, 42)));
        line("marker-abort", MemoryRecords.withEndTransactionMarker(0L, TIME, -1, 1L, (short) 0,
            new EndTransactionMarker(ControlRecordType.ABORT, 0)));
        LeaderChangeMessage leader = new LeaderChangeMessage().setLeaderId(1)
            .setVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(1)))
            .setGrantingVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(1)));
        line("leader-change", MemoryRecords.withLeaderChangeMessage(3L, TIME, 2, ByteBuffer.allocate(256), leader));
        line("snapshot-header", MemoryRecords.withSnapshotHeaderRecord(0L, TIME, 0, ByteBuffer.allocate(256),
            new SnapshotHeaderRecord().setVersion((short) 0).setLastContainedLogTimestamp(TIME - 1)));
        line("snapshot-footer", MemoryRecords.withSnapshotFooterRecord(9L, TIME, 0, ByteBuffer.allocate(256),
            new SnapshotFooterRecord().setVersion((short) 0)));
        line("kraft-version", MemoryRecords.withKRaftVersionRecord(1L, TIME, 0, ByteBuffer.allocate(256),
            new KRaftVersionRecord().setVersion((short) 0).setKRaftVersion((short) 1)));
        VotersRecord.Voter voter = new VotersRecord.Voter().setVoterId(1).setVoterDirectoryId(new Uuid(1, 2))
            .setKRaftVersionFeature(new VotersRecord.KRaftVersionFeature().setMinSupportedVersion((short) 0).setMaxSupportedVersion((short) 1));
        voter.endpoints().add(new VotersRecord.Endpoint().setName("CONTROLLER").setHost("localhost").setPort(9093));
        line("kraft-voters", MemoryRecords.withVotersRecord(2L, TIME, 0, ByteBuffer.allocate(256),
            new VotersRecord().setVersion((short) 0).setVoters(List.of(voter))));
    }

    /** As the cleaner leaves them: holes between offsets, a last offset behind the last record. */
    private void gaps() {
        for (CompressionType codec : Arrays.asList(CompressionType.NONE, CompressionType.GZIP)) {
            MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(512), (byte) 2,
                Compression.of(codec).build(), TimestampType.CREATE_TIME, 100L, 0L, 5L, (short) 1, 7, false, false,
                RecordBatch.NO_PARTITION_LEADER_EPOCH);
            builder.appendWithOffset(102L, record(TIME, "a", "1"));
            builder.appendWithOffset(105L, record(TIME + 1, "b", "2"));
            builder.overrideLastOffset(109L);
            line(codec.name + "-gaps", builder.build());
        }
    }
}
