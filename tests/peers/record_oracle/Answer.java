import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32C;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.errors.CorruptRecordException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.requests.ProduceResponse.RecordError;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.PrimitiveRef;
import org.apache.kafka.common.utils.PrimitiveRef.LongRef;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.LogValidator;
import org.apache.kafka.storage.internals.log.RecordValidationException;

/**
 * What Kafka's broker answers to bytes that are to be appended. The request's own checks and LogValidator are Kafka's
 * classes; the few checks between them (UnifiedLog.analyzeAndValidateRecords) need a whole log and are repeated here.
 *
 * Refused: error code, message and record errors ("index:message", with '|' between), the latter two only where a record
 * is at fault. Good: 0, "kept" or "rebuilt", maximum timestamp, last offset, and a checksum of the result: of its bytes, or
 * where Kafka compressed it of what can be read in it.
 */
final class Answer {
    private static final TopicPartition PARTITION = new TopicPartition("topic", 0);
    private static final long FIRST_OFFSET = 100;
    private static final int LEADER_EPOCH = 7;

    private Answer() {}

    static String to(Rules rules, byte[] input) {
        try {
            return accepted(rules, MemoryRecords.readableRecords(ByteBuffer.wrap(input.clone())));
        } catch (RecordValidationException e) {
            StringBuilder errors = new StringBuilder();
            for (RecordError error : e.recordErrors()) {
                errors.append(errors.length() > 0 ? "|" : "").append(error.batchIndex).append(":").append(error.message);
            }
            return Errors.forException(e.invalidException()).code() + "\t" + e.invalidException().getMessage() + "\t" + errors;
        } catch (Throwable e) {
            return Errors.forException(e).code() + "\t\t";
        }
    }

    private static String accepted(Rules rules, MemoryRecords records) {
        AppendOrigin origin = rules.isCoordinator() ? AppendOrigin.COORDINATOR : AppendOrigin.CLIENT;
        if (origin == AppendOrigin.CLIENT) ProduceRequest.validateRecords((short) rules.version(), records);
        CompressionType source = CompressionType.NONE;
        int validBytes = 0;
        for (MutableRecordBatch batch : records.batches()) {
            if (batch.magic() >= 2 && origin == AppendOrigin.CLIENT && batch.baseOffset() != 0) {
                throw new InvalidRecordException("base offset");
            }
            batch.lastOffset();
            if (batch.sizeInBytes() > rules.batchBytesMax()) throw new RecordTooLargeException();
            if (!batch.isValid()) throw new CorruptRecordException();
            validBytes += batch.sizeInBytes();
            CompressionType codec = CompressionType.forId(batch.compressionType().id);
            if (codec != CompressionType.NONE) source = codec;
        }
        ByteBuffer valid = records.buffer().duplicate();
        valid.limit(validBytes);
        CompressionType target = rules.targetCodec() == null ? source : rules.targetCodec();
        LongRef offset = PrimitiveRef.ofLong(FIRST_OFFSET);
        LogValidator.ValidationResult result = new LogValidator(MemoryRecords.readableRecords(valid), PARTITION, at(rules.nowMs()),
            source, Compression.of(target).build(), rules.isCompacted(), (byte) 2,
            rules.isAppendTime() ? TimestampType.LOG_APPEND_TIME : TimestampType.CREATE_TIME, rules.beforeMaxMs(),
            rules.afterMaxMs(), LEADER_EPOCH, origin)
            .validateMessagesAndAssignOffsets(offset, new NoMetrics(), BufferSupplier.NO_CACHING);
        byte[] stored = ValidationTable.bytes(result.validatedRecords());
        if (result.messageSizeMaybeChanged() && stored.length > rules.batchBytesMax()) throw new RecordTooLargeException();
        boolean comparable = !result.messageSizeMaybeChanged() || target == CompressionType.NONE;
        return "0\t" + (result.messageSizeMaybeChanged() ? "rebuilt" : "kept") + "\t" + result.maxTimestampMs() + "\t"
            + (offset.value - 1) + "\t" + checksum(comparable ? stored : Dump.of(stored).getBytes(StandardCharsets.UTF_8));
    }

    private static String checksum(byte[] bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes);
        return Long.toHexString(crc.getValue());
    }

    private static Time at(long nowMs) {
        return (Time) Proxy.newProxyInstance(Answer.class.getClassLoader(), new Class<?>[] {Time.class},
            (proxy, method, args) -> method.getName().equals("milliseconds") ? nowMs : 0L);
    }

    private static final class NoMetrics implements LogValidator.MetricsRecorder {
        @Override public void recordInvalidMagic() {}
        @Override public void recordInvalidOffset() {}
        @Override public void recordInvalidSequence() {}
        @Override public void recordInvalidChecksums() {}
        @Override public void recordNoKeyCompactedTopic() {}
    }
}
