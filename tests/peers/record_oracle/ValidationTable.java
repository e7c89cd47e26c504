import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.zip.CRC32C;
import net.jpountz.lz4.LZ4FrameOutputStream;
import net.jpountz.lz4.LZ4FrameOutputStream.BLOCKSIZE;
import net.jpountz.lz4.LZ4FrameOutputStream.FLG.Bits;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.utils.ByteBufferOutputStream;
import org.apache.kafka.common.utils.ByteUtils;
import org.xerial.snappy.Snappy;

/** Good and damaged batches with the answer of Kafka's broker to each; one line per case, see Answer. */
final class ValidationTable {
    private static final long TIME = 1700000000000L;
    private final PrintStream out;

    ValidationTable(PrintStream out) {
        this.out = out;
    }

    void write() {
        for (CompressionType codec : CompressionType.values()) {
            byte[] good = bytes(GoldenBatches.build(Compression.of(codec).build(), (byte) 2, TimestampType.CREATE_TIME, 0, GoldenBatches.plain()));
            byte[] headers = bytes(GoldenBatches.build(Compression.of(codec).build(), (byte) 2, TimestampType.CREATE_TIME, 0, GoldenBatches.withHeaders()));
            rules(codec.name, good);
            rules(codec.name + "-headers", headers);
            headerFields(codec.name, good);
            sizes(codec.name, good);
            damage(codec.name, headers);
            handmade(codec);
        }
        streams();
        control();
    }

    private void line(String name, Rules rules, byte[] input) {
        out.println(name + "\t" + rules.text() + "\t" + HexFormat.of().formatHex(input) + "\t" + Answer.to(rules, input));
    }

    static byte[] bytes(MemoryRecords records) {
        byte[] copy = new byte[records.sizeInBytes()];
        records.buffer().duplicate().get(copy);
        return copy;
    }

    /** Sets length and checksum to what the bytes call for. */
    static byte[] sealed(byte[] batch) {
        ByteBuffer buffer = ByteBuffer.wrap(batch);
        buffer.putInt(8, batch.length - 12);
        CRC32C crc = new CRC32C();
        crc.update(batch, 21, batch.length - 21);
        buffer.putInt(17, (int) crc.getValue());
        return batch;
    }

    private static byte[] with(byte[] batch, java.util.function.Consumer<ByteBuffer> change) {
        byte[] copy = batch.clone();
        change.accept(ByteBuffer.wrap(copy));
        return sealed(copy);
    }

    private static byte[] join(byte[]... parts) {
        ByteArrayOutputStream joined = new ByteArrayOutputStream();
        for (byte[] part : parts) joined.writeBytes(part);
        return joined.toByteArray();
    }

    private static byte[] head(byte[] bytes, int size) {
        return java.util.Arrays.copyOf(bytes, size);
    }

    private void rules(String name, byte[] good) {
        line(name + "-good", Rules.plain(), good);
        line(name + "-append-time-topic", Rules.plain().appendTime(), good);
        line(name + "-compacted", Rules.plain().compacted(), good);
        line(name + "-too-old", Rules.plain().before(1000).now(TIME + 1000), good);
        line(name + "-too-new", Rules.plain().after(3).now(TIME), good);
        line(name + "-compacted-and-too-new", Rules.plain().compacted().after(3).now(TIME), good);
        line(name + "-too-large", Rules.plain().max(good.length - 1), good);
        line(name + "-just-fits", Rules.plain().max(good.length), good);
        for (CompressionType target : CompressionType.values()) {
            line(name + "-to-" + target.name, Rules.plain().target(target), good);
        }
        line(name + "-to-gzip-append-time", Rules.plain().target(CompressionType.GZIP).appendTime(), good);
        line(name + "-to-none-too-large", Rules.plain().target(CompressionType.NONE).max(good.length), good);
        for (int version : new int[] {3, 6, 7}) line(name + "-produce-v" + version, Rules.plain().version(version), good);
        line(name + "-coordinator", Rules.plain().coordinator(), good);
    }

    private void headerFields(String name, byte[] good) {
        for (long offset : new long[] {1, -1, Long.MAX_VALUE}) line(name + "-base-offset " + offset, Rules.plain(), with(good, b -> b.putLong(0, offset)));
        for (int bit = 0; bit < 16; bit++) {
            int mask = 1 << bit;
            byte[] flipped = with(good, b -> b.putShort(21, (short) (b.getShort(21) ^ mask)));
            line(name + "-attribute-" + bit, Rules.plain(), flipped);
            if (bit >= 3) line(name + "-attribute-" + bit + "-append-time-topic", Rules.plain().appendTime(), flipped);
            if (bit >= 3 && bit < 8) line(name + "-attribute-" + bit + "-to-gzip", Rules.plain().target(CompressionType.GZIP), flipped);
        }
        for (int codec = 0; codec < 8; codec++) {
            int id = codec;
            line(name + "-codec-" + id, Rules.plain(), with(good, b -> b.putShort(21, (short) id)));
        }
        for (int delta : new int[] {0, 3, 5, -1, -2, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
            line(name + "-last-delta " + delta, Rules.plain(), with(good, b -> b.putInt(23, delta)));
        }
        for (int count : new int[] {0, -1, 4, 6, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
            line(name + "-count " + count, Rules.plain(), with(good, b -> b.putInt(57, count)));
            line(name + "-count-and-delta " + count, Rules.plain(), with(good, b -> b.putInt(57, count).putInt(23, count - 1)));
        }
        line(name + "-count-0-coordinator", Rules.plain().coordinator(), with(good, b -> b.putInt(57, 0)));
        for (long time : new long[] {-1, 0, -5, TIME + 100, Long.MAX_VALUE, Long.MIN_VALUE}) {
            line(name + "-base-time " + time, Rules.plain(), with(good, b -> b.putLong(27, time)));
            line(name + "-max-time " + time, Rules.plain(), with(good, b -> b.putLong(35, time)));
            line(name + "-max-time-append " + time, Rules.plain(), with(good, b -> b.putLong(35, time).putShort(21, (short) (b.getShort(21) | 8))));
            line(name + "-base-time-to-lz4 " + time, Rules.plain().target(CompressionType.LZ4), with(good, b -> b.putLong(27, time)));
        }
        long[][] producers = {{5, 0, 0}, {5, -1, 0}, {5, 0, -1}, {-2, -1, -1}, {-1, 3, 4}, {-1, -1, 0}, {5, 0, Integer.MAX_VALUE}, {Long.MIN_VALUE, 0, -5}};
        for (long[] p : producers) {
            byte[] changed = with(good, b -> b.putLong(43, p[0]).putShort(51, (short) p[1]).putInt(53, (int) p[2]));
            String title = name + "-producer " + p[0] + " " + p[1] + " " + p[2];
            line(title, Rules.plain(), changed);
            line(title + " to-snappy", Rules.plain().target(CompressionType.SNAPPY), changed);
            line(title + " to-zstd transactional", Rules.plain().target(CompressionType.ZSTD), with(changed, b -> b.putShort(21, (short) (b.getShort(21) | 16))));
        }
        byte[] crc = good.clone();
        crc[17] ^= 1;
        line(name + "-bad-crc", Rules.plain(), crc);
        line(name + "-leader-epoch", Rules.plain(), with(good, b -> b.putInt(12, 99)));
        for (int magic : new int[] {0, 1, 3, -1, 127}) line(name + "-magic " + magic, Rules.plain(), with(good, b -> b.put(16, (byte) magic)));
    }

    private void sizes(String name, byte[] good) {
        if (name.equals("none")) line("empty", Rules.plain(), new byte[0]);
        for (int size : new int[] {1, 11, 12, 16, 17, 26, 60, 61, good.length - 1}) line(name + "-cut-" + size, Rules.plain(), head(good, size));
        line(name + "-twice", Rules.plain(), join(good, good));
        line(name + "-then-cut", Rules.plain(), join(good, head(good, good.length - 1)));
        line(name + "-then-11", Rules.plain(), join(good, new byte[11]));
        line(name + "-then-12-zeros", Rules.plain(), join(good, new byte[12]));
        line(name + "-then-bad-magic", Rules.plain(), join(good, with(good, b -> b.put(16, (byte) 9))));
        for (int length : new int[] {0, 13, -1, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
            byte[] copy = good.clone();
            ByteBuffer.wrap(copy).putInt(8, length);
            line(name + "-length " + length, Rules.plain(), copy);
        }
        line(name + "-header-alone", Rules.plain(), sealed(head(good, 61)));
        line(name + "-bytes-behind", Rules.plain(), sealed(join(good, new byte[] {0})));
        line(name + "-more-behind", Rules.plain(), sealed(join(good, new byte[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})));
        for (int cut : new int[] {1, 2, 4, 5, 8, 9, 13}) line(name + "-payload-cut-" + cut, Rules.plain(), sealed(head(good, good.length - cut)));
    }

    /** One byte of the records changed, the checksum made to fit. */
    private void damage(String name, byte[] good) {
        Random random = new Random(name.hashCode());
        for (int i = 0; i < 60; i++) {
            int at = 61 + random.nextInt(good.length - 61);
            byte value = (byte) random.nextInt(256);
            line(name + "-damage-" + i, i % 3 == 2 ? Rules.plain().target(CompressionType.NONE) : Rules.plain(), with(good, b -> b.put(at, value)));
        }
    }

    static byte[] batch(CompressionType codec, int count, byte[] payload) {
        byte[] batch = join(new byte[61], payload);
        ByteBuffer.wrap(batch).put(16, (byte) 2).putShort(21, (short) codec.id).putInt(23, count - 1).putLong(27, TIME)
            .putLong(35, TIME).putLong(43, -1).putShort(51, (short) -1).putInt(53, -1).putInt(57, count);
        return sealed(batch);
    }

    static byte[] compressed(CompressionType codec, byte[] payload) {
        ByteBufferOutputStream buffer = new ByteBufferOutputStream(256);
        try (OutputStream stream = Compression.of(codec).build().wrapForOutput(buffer, (byte) 2)) {
            stream.write(payload);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
        ByteBuffer written = buffer.buffer();
        written.flip();
        byte[] copy = new byte[written.remaining()];
        written.get(copy);
        return copy;
    }

    /** A record from its parts. Each is a varint, but "a" an attribute byte, "L" a varlong; text in quotes is itself. */
    static byte[] body(Object... parts) {
        ByteBuffer buffer = ByteBuffer.allocate(512);
        for (Object part : parts) {
            if (part instanceof Integer number) ByteUtils.writeVarint(number, buffer);
            else if (part instanceof Long number) ByteUtils.writeVarlong(number, buffer);
            else if (part instanceof Byte number) buffer.put(number);
            else if (part instanceof String text) buffer.put(GoldenBatches.text(text));
            else buffer.put((byte[]) part);
        }
        return head(buffer.array(), buffer.position());
    }

    static byte[] framed(byte[] body) {
        return framed(body, body.length);
    }

    static byte[] framed(byte[] body, int length) {
        return join(body((Integer) length), body);
    }

    private void handmade(CompressionType codec) {
        List<byte[]> cases = new ArrayList<>();
        byte a = 0;
        byte[] good = body(a, 0L, 0, 1, "k", 1, "v", 0);
        cases.add(framed(good));
        cases.add(framed(good, good.length - 1));
        cases.add(framed(good, good.length + 1));
        cases.add(framed(good, 0));
        cases.add(framed(good, -1));
        cases.add(framed(good, Integer.MAX_VALUE));
        cases.add(framed(good, Integer.MIN_VALUE));
        cases.add(framed(body((byte) 0xff, 0L, 0, 1, "k", 1, "v", 0)));
        cases.add(framed(body(a, 0L, 1, 1, "k", 1, "v", 0)));
        cases.add(framed(body(a, 0L, -1, 1, "k", 1, "v", 0)));
        cases.add(framed(body(a, 0L, Integer.MAX_VALUE, 1, "k", 1, "v", 0)));
        cases.add(framed(body(a, Long.MAX_VALUE, 0, 1, "k", 1, "v", 0)));
        cases.add(framed(body(a, Long.MIN_VALUE, 0, 1, "k", 1, "v", 0)));
        cases.add(framed(body(a, -TIME - 1, 0, 1, "k", 1, "v", 0)));
        cases.add(framed(body(a, -TIME - 2, 0, 1, "k", 1, "v", 0)));
        cases.add(framed(body(a, 0L, 0, -2, 1, "v", 0)));
        cases.add(framed(body(a, 0L, 0, Integer.MIN_VALUE, 1, "v", 0)));
        cases.add(framed(body(a, 0L, 0, 2, "k", 1, "v", 0)));
        cases.add(framed(body(a, 0L, 0, 1000000, "k", 1, "v", 0)));
        cases.add(framed(body(a, 0L, 0, 1, "k", -7, 0)));
        cases.add(framed(body(a, 0L, 0, 1, "k", 100, "v", 0)));
        cases.add(framed(body(a, 0L, 0, 1, "k", 1, "v", -1)));
        cases.add(framed(body(a, 0L, 0, 1, "k", 1, "v", 1)));
        cases.add(framed(body(a, 0L, 0, 1, "k", 1, "v", 1, 1, "h", -1)));
        cases.add(framed(body(a, 0L, 0, 1, "k", 1, "v", 1, 1, "h", -9)));
        cases.add(framed(body(a, 0L, 0, 1, "k", 1, "v", 1, -1, 1, "x")));
        cases.add(framed(body(a, 0L, 0, 1, "k", 1, "v", 1, 50, "h", 1, "x")));
        cases.add(framed(body(a, 0L, 0, 1, "k", 1, "v", 1, 1, "h", 50, "x")));
        cases.add(framed(body(a, 0L, 0, 1, "k", 1, "v", Integer.MAX_VALUE)));
        cases.add(framed(body(a, 0L, 0, 1, "k", 1, "v", 0, (byte) 0)));
        cases.add(framed(body(a, new byte[] {(byte) 0x80, 0}, 0, 1, "k", 1, "v", 0)));
        cases.add(framed(body(a, 0L, new byte[] {-1, -1, -1, -1, -1, 0}, 1, "k", 1, "v", 0)));
        cases.add(framed(body(a, 0L, new byte[] {-128, -128, -128, -128, 0x70}, 1, "k", 1, "v", 0)));
        cases.add(framed(body(a, new byte[] {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 1}, 0, 1, "k", 1, "v", 0)));
        cases.add(framed(body(a, 0L, 0, 1, new byte[] {(byte) 0xff}, 1, "v", 0)));
        cases.add(join(new byte[] {-1, -1, -1, -1, -1, -1}, good));
        cases.add(new byte[0]);
        cases.add(framed(new byte[0]));
        cases.add(framed(body(a)));
        cases.add(framed(body(a, 0L, 0)));
        for (int i = 0; i < cases.size(); i++) {
            byte[] payload = cases.get(i);
            byte[] made = codec == CompressionType.NONE ? payload : compressed(codec, payload);
            line(codec.name + "-handmade-" + i, Rules.plain(), batch(codec, 1, made));
            if (i % 4 == 1) line(codec.name + "-handmade-" + i + "-to-gzip", Rules.plain().target(CompressionType.GZIP), batch(codec, 1, made));
            if (i % 9 == 0) line(codec.name + "-handmade-" + i + "-compacted", Rules.plain().compacted(), batch(codec, 1, made));
        }
        byte[] second = body(a, 1L, 1, -1, -1, 0);
        byte[] wrong = body(a, 1L, 5, -1, -1, 0);
        for (CompressionType target : new CompressionType[] {null, CompressionType.NONE, CompressionType.ZSTD}) {
            byte[] payload = join(framed(good), framed(wrong));
            byte[] made = codec == CompressionType.NONE ? payload : compressed(codec, payload);
            line(codec.name + "-wrong-delta-to-" + target, Rules.plain().target(target), batch(codec, 2, made));
            line(codec.name + "-wrong-delta-compacted-to-" + target, Rules.plain().target(target).compacted(), batch(codec, 2, made));
        }
        byte[] swapped = join(framed(second), framed(good));
        line(codec.name + "-swapped", Rules.plain(), batch(codec, 2, codec == CompressionType.NONE ? swapped : compressed(codec, swapped)));
    }

    /** Compressed streams as other writers than Kafka's make them. */
    private void streams() {
        byte[] first = framed(body((byte) 0, 0L, 0, 1, "k", 1, "v", 0));
        byte[] second = framed(body((byte) 0, 0L, 1, 1, "k", 1, "v", 0));
        byte[] both = join(first, second);
        for (CompressionType codec : CompressionType.values()) {
            if (codec == CompressionType.NONE) continue;
            byte[] one = compressed(codec, first);
            byte[] two = compressed(codec, second);
            line(codec.name + "-two-streams", Rules.plain(), batch(codec, 2, join(one, two)));
            line(codec.name + "-two-streams-count-1", Rules.plain(), batch(codec, 1, join(one, two)));
            line(codec.name + "-garbage-behind", Rules.plain(), batch(codec, 2, join(compressed(codec, both), GoldenBatches.text("garbage that is no stream at all"))));
            line(codec.name + "-zeros-behind", Rules.plain(), batch(codec, 2, join(compressed(codec, both), new byte[40])));
            line(codec.name + "-empty", Rules.plain(), batch(codec, 1, new byte[0]));
            line(codec.name + "-empty-stream", Rules.plain(), batch(codec, 1, compressed(codec, new byte[0])));
            line(codec.name + "-garbage", Rules.plain(), batch(codec, 1, GoldenBatches.text("no stream, but long enough to look like one")));
            for (int cut = 1; cut < 24; cut++) {
                byte[] whole = compressed(codec, both);
                if (cut < whole.length) line(codec.name + "-stream-cut-" + cut, Rules.plain(), batch(codec, 2, head(whole, whole.length - cut)));
            }
        }
        try {
            byte[] raw = Snappy.compress(both);
            line("snappy-raw", Rules.plain(), batch(CompressionType.SNAPPY, 2, raw));
            line("snappy-raw-cut", Rules.plain(), batch(CompressionType.SNAPPY, 2, head(raw, raw.length - 1)));
            line("snappy-raw-behind", Rules.plain(), batch(CompressionType.SNAPPY, 2, join(raw, new byte[] {0})));
            line("snappy-raw-claims-4g", Rules.plain(), batch(CompressionType.SNAPPY, 2, new byte[] {-1, -1, -1, -1, 0x0f, 0, 0}));
            byte[] framed = compressed(CompressionType.SNAPPY, both);
            for (int length : new int[] {-1, 0, 1, Integer.MAX_VALUE, Integer.MIN_VALUE, 100000}) {
                byte[] copy = framed.clone();
                ByteBuffer.wrap(copy).putInt(16, length);
                line("snappy-chunk-length " + length, Rules.plain(), batch(CompressionType.SNAPPY, 2, copy));
            }
            for (int version : new int[] {0, -1, 2, 1000}) {
                byte[] copy = framed.clone();
                ByteBuffer.wrap(copy).putInt(8, version);
                line("snappy-version " + version, Rules.plain(), batch(CompressionType.SNAPPY, 2, copy));
                ByteBuffer.wrap(copy).putInt(8, 1).putInt(12, version);
                line("snappy-compatible " + version, Rules.plain(), batch(CompressionType.SNAPPY, 2, copy));
            }
            line("snappy-no-chunks", Rules.plain(), batch(CompressionType.SNAPPY, 1, head(framed, 16)));
            line("snappy-empty-chunks", Rules.plain(), batch(CompressionType.SNAPPY, 2, join(head(framed, 16), new byte[] {0, 0, 0, 1, 0}, java.util.Arrays.copyOfRange(framed, 16, framed.length))));
            lz4(both);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private void lz4(byte[] both) throws IOException {
        Bits[][] flags = {{Bits.BLOCK_INDEPENDENCE}, {Bits.BLOCK_INDEPENDENCE, Bits.CONTENT_CHECKSUM},
            {Bits.BLOCK_INDEPENDENCE, Bits.BLOCK_CHECKSUM}, {Bits.BLOCK_INDEPENDENCE, Bits.BLOCK_CHECKSUM, Bits.CONTENT_CHECKSUM}};
        for (int i = 0; i < flags.length; i++) {
            for (BLOCKSIZE size : BLOCKSIZE.values()) {
                ByteArrayOutputStream buffer = new ByteArrayOutputStream();
                try (LZ4FrameOutputStream stream = new LZ4FrameOutputStream(buffer, size, -1L, flags[i])) {
                    stream.write(both);
                }
                line("lz4-flags-" + i + "-" + size, Rules.plain(), batch(CompressionType.LZ4, 2, buffer.toByteArray()));
            }
        }
        ByteArrayOutputStream buffer = new ByteArrayOutputStream();
        try (LZ4FrameOutputStream stream = new LZ4FrameOutputStream(buffer, BLOCKSIZE.SIZE_64KB, both.length,
                Bits.BLOCK_INDEPENDENCE, Bits.CONTENT_SIZE, Bits.CONTENT_CHECKSUM, Bits.BLOCK_CHECKSUM)) {
            stream.write(both);
        }
        byte[] full = buffer.toByteArray();
        line("lz4-content-size", Rules.plain(), batch(CompressionType.LZ4, 2, full));
        for (int at = 0; at < full.length; at++) {
            byte[] copy = full.clone();
            copy[at] ^= 0x41;
            line("lz4-flip-" + at, Rules.plain(), batch(CompressionType.LZ4, 2, copy));
        }
    }

    private void control() {
        byte[] marker = bytes(MemoryRecords.withEndTransactionMarker(0L, TIME, 5, 4711L, (short) 3, new EndTransactionMarker(ControlRecordType.COMMIT, 42)));
        line("marker-client", Rules.plain(), marker);
        line("marker-coordinator", Rules.plain().coordinator(), marker);
        line("marker-coordinator-append-time", Rules.plain().coordinator().appendTime(), marker);
        line("marker-coordinator-to-gzip", Rules.plain().coordinator().target(CompressionType.GZIP), marker);
        line("offset-coordinator", Rules.plain().coordinator(), with(marker, b -> b.putLong(0, 17)));
    }
}
