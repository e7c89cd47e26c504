import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.zip.CRC32C;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;

/**
 * What Kafka's classes read in a run of batches, as one line of text. The C++ side (dump.h) writes the same line for the
 * same bytes, so that comparing two strings compares everything that can be read.
 */
final class Dump {
    private Dump() {}

    static String of(byte[] bytes) {
        return of(MemoryRecords.readableRecords(ByteBuffer.wrap(bytes)));
    }

    static String of(MemoryRecords records) {
        StringBuilder out = new StringBuilder();
        for (MutableRecordBatch batch : records.batches()) {
            if (out.length() > 0) out.append(" | ");
            batch(out, batch);
        }
        return out.toString();
    }

    private static void batch(StringBuilder out, MutableRecordBatch batch) {
        boolean legacy = batch.magic() < 2;
        out.append("v").append(batch.magic());
        if (!legacy) out.append(" base=").append(batch.baseOffset());
        out.append(" last=").append(batch.lastOffset())
            .append(" epoch=").append(batch.partitionLeaderEpoch())
            .append(" valid=").append(batch.isValid() ? 1 : 0)
            .append(" codec=").append(batch.compressionType().name)
            .append(" append=").append(batch.timestampType() == TimestampType.LOG_APPEND_TIME ? 1 : 0)
            .append(" txn=").append(batch.isTransactional() ? 1 : 0)
            .append(" control=").append(batch.isControlBatch() ? 1 : 0)
            .append(" max=").append(batch.maxTimestamp())
            .append(" pid=").append(batch.producerId()).append("/").append(batch.producerEpoch())
            .append(" seq=").append(batch.baseSequence()).append("/").append(batch.lastSequence())
            .append(" count=").append(batch.countOrNull() == null ? -1 : batch.countOrNull());
        if (batch.deleteHorizonMs().isPresent()) out.append(" horizon=").append(batch.deleteHorizonMs().getAsLong());
        for (Record record : batch) record(out, batch, record);
    }

    private static void record(StringBuilder out, MutableRecordBatch batch, Record record) {
        out.append(" ; ").append(record.offset()).append(" ").append(record.timestamp()).append(" ")
            .append(record.sequence()).append(" ").append(hex(record.key())).append(" ").append(hex(record.value()));
        for (Header header : record.headers()) {
            byte[] value = header.value();
            out.append(" ").append(HexFormat.of().formatHex(header.key().getBytes(java.nio.charset.StandardCharsets.UTF_8)))
                .append("=").append(hex(value == null ? null : ByteBuffer.wrap(value)));
        }
        if (!batch.isControlBatch()) return;
        ControlRecordType type = ControlRecordType.parse(record.key());
        out.append(" type=").append(type.type());
        if (type == ControlRecordType.ABORT || type == ControlRecordType.COMMIT) {
            EndTransactionMarker marker = EndTransactionMarker.deserialize(record);
            out.append(" coordinator=").append(marker.coordinatorEpoch());
        }
    }

    static String hex(ByteBuffer bytes) {
        if (bytes == null) return "-";
        byte[] copy = new byte[bytes.remaining()];
        bytes.duplicate().get(copy);
        if (copy.length > 64) {
            CRC32C crc = new CRC32C();
            crc.update(copy);
            return "#" + copy.length + ":" + Long.toHexString(crc.getValue());
        }
        return "." + HexFormat.of().formatHex(copy);
    }
}
