import org.apache.kafka.common.record.internal.CompressionType;

/** The settings under which a batch is validated; see AppendRules of record/validator.h. A null target is "producer". */
record Rules(boolean isCoordinator, int version, boolean isAppendTime, long beforeMaxMs, long afterMaxMs,
             CompressionType targetCodec, boolean isCompacted, int batchBytesMax, long nowMs) {

    static Rules plain() {
        return new Rules(false, 13, false, Long.MAX_VALUE, 3600000L, null, false, 1048588, 1700000001000L);
    }

    Rules coordinator() {
        return new Rules(true, version, isAppendTime, beforeMaxMs, afterMaxMs, targetCodec, isCompacted, batchBytesMax, nowMs);
    }

    Rules version(int value) {
        return new Rules(isCoordinator, value, isAppendTime, beforeMaxMs, afterMaxMs, targetCodec, isCompacted, batchBytesMax, nowMs);
    }

    Rules appendTime() {
        return new Rules(isCoordinator, version, true, beforeMaxMs, afterMaxMs, targetCodec, isCompacted, batchBytesMax, nowMs);
    }

    Rules before(long value) {
        return new Rules(isCoordinator, version, isAppendTime, value, afterMaxMs, targetCodec, isCompacted, batchBytesMax, nowMs);
    }

    Rules after(long value) {
        return new Rules(isCoordinator, version, isAppendTime, beforeMaxMs, value, targetCodec, isCompacted, batchBytesMax, nowMs);
    }

    Rules target(CompressionType value) {
        return new Rules(isCoordinator, version, isAppendTime, beforeMaxMs, afterMaxMs, value, isCompacted, batchBytesMax, nowMs);
    }

    Rules compacted() {
        return new Rules(isCoordinator, version, isAppendTime, beforeMaxMs, afterMaxMs, targetCodec, true, batchBytesMax, nowMs);
    }

    Rules max(int value) {
        return new Rules(isCoordinator, version, isAppendTime, beforeMaxMs, afterMaxMs, targetCodec, isCompacted, value, nowMs);
    }

    Rules now(long value) {
        return new Rules(isCoordinator, version, isAppendTime, beforeMaxMs, afterMaxMs, targetCodec, isCompacted, batchBytesMax, value);
    }

    /** Numbers with blanks between, in the order of the components; the codec by its id, -1 for "producer". */
    String text() {
        return (isCoordinator ? 1 : 0) + " " + version + " " + (isAppendTime ? 1 : 0) + " " + beforeMaxMs + " " + afterMaxMs
            + " " + (targetCodec == null ? -1 : targetCodec.id) + " " + (isCompacted ? 1 : 0) + " " + batchBytesMax + " " + nowMs;
    }
}
