import java.io.BufferedWriter;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HexFormat;
import java.util.Map;
import java.util.Random;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.common.record.internal.MemoryRecords;

/**
 * The released classes as the judge of our encoder and decoder. One message per line: name, version, bytes in hex.
 *   Oracle write all|few FILE   fills every message at every version (few: two cases of the newest) and writes its bytes
 *   Oracle json FILE            the records of the internal topics at every version, with the JSON that Kafka's tools print
 *   Oracle check FILE           reads each line through Kafka's class and compares what that class writes
 */
public final class Oracle {
    private static final String[] TEXTS = {"", "a", "topic-1", "größer ≠ kleiner", "日本語", "😀", "x".repeat(130), "with\0nul"};
    private static final int CASES = 12;
    private final Random random;
    private final int version;
    private final Style style;
    private final boolean unknownTags;

    private enum Style { DEFAULTS, FULL, EMPTY, RANDOM }

    private Oracle(String name, int version, int index, boolean unknownTags) {
        this.random = new Random(31L * (31L * name.hashCode() + version) + index);
        this.version = version;
        this.style = index < 3 ? Style.values()[index] : Style.RANDOM;
        this.unknownTags = unknownTags;
    }

    private void fill(Message message) {
        Map<String, Messages.WireField> wire = Messages.wireFields(message.getClass(), version);
        for (Map.Entry<String, Field> member : Messages.members(message.getClass()).entrySet()) {
            Messages.WireField at = wire.get(member.getKey());
            if (at == null) continue;
            Field field = member.getValue();
            Object old = Messages.get(field, message);
            if (style == Style.DEFAULTS && (old != null || at.nullable())) continue;
            if (style == Style.RANDOM && random.nextInt(4) == 0 && (old != null || at.nullable())) continue;
            Messages.set(field, message, value(field, at));
        }
        if (unknownTags && Messages.flexible(message.getClass(), version) && style == Style.RANDOM) {
            for (int tag = 100; random.nextBoolean(); tag += 50) message.unknownTaggedFields().add(new RawTaggedField(tag, bytes()));
        }
    }

    private Object value(Field field, Messages.WireField at) {
        if (at.nullable() && (style == Style.EMPTY || (style == Style.RANDOM && random.nextInt(4) == 0))) return null;
        Class<?> element = Messages.elementClass(field);
        if (element != null) {
            Collection<Object> list = Messages.makeList(field);
            int size = style == Style.FULL ? 2 : style == Style.RANDOM ? random.nextInt(4) : 0;
            String type = at.type().arrayElementType().get().toString();
            for (int i = 0; i < size; ++i) list.add(scalar(element, type));
            return list;
        }
        return scalar(field.getType(), at.type().toString());
    }

    private Object scalar(Class<?> type, String wireType) {
        if (Messages.isStruct(type)) {
            Message made = (Message) Messages.make(type);
            fill(made);
            return made;
        }
        if (type == boolean.class) return style == Style.FULL || random.nextBoolean();
        if (type == double.class) return style == Style.FULL ? Double.MAX_VALUE : random.nextGaussian();
        if (type == String.class) return style == Style.EMPTY ? "" : TEXTS[random.nextInt(TEXTS.length)];
        if (type == Uuid.class) return style == Style.EMPTY ? Uuid.ZERO_UUID : new Uuid(random.nextLong(), random.nextLong());
        if (type == byte[].class) return bytes();
        if (type == ByteBuffer.class) return ByteBuffer.wrap(bytes());
        if (type == byte.class || type == Byte.class) return (byte) integer(8);
        if (type == short.class || type == Short.class) return (short) integer(16);
        if (wireType.equals("UINT16")) return (int) integer(16) & 0xffff;
        if (type == int.class || type == Integer.class) return (int) integer(32);
        if (wireType.equals("UINT32")) return integer(32) & 0xffffffffL;
        if (type == long.class || type == Long.class) return integer(64);
        return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes()));
    }

    /** Small, or at the ends of so many bits. */
    private long integer(int bits) {
        if (style == Style.EMPTY) return -1L << (bits - 1);
        if (style == Style.FULL && random.nextBoolean()) return ~(-1L << (bits - 1));
        return switch (random.nextInt(4)) {
            case 0 -> -1;
            case 1 -> random.nextInt(100);
            case 2 -> -1L << (bits - 1);
            default -> random.nextLong() >> (64 - bits);
        };
    }

    private byte[] bytes() {
        byte[] bytes = new byte[style == Style.EMPTY ? 0 : new int[] {0, 1, 7, 200}[random.nextInt(4)]];
        random.nextBytes(bytes);
        return bytes;
    }

    private static byte[] encode(ApiMessage message, int version) {
        ByteBuffer buffer = MessageUtil.toByteBufferAccessor(message, (short) version).buffer();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return bytes;
    }

    private static void write(boolean few, Path path) throws Exception {
        try (BufferedWriter out = Files.newBufferedWriter(path)) {
            for (Map.Entry<String, Class<? extends ApiMessage>> entry : Messages.all().entrySet()) {
                Class<? extends ApiMessage> type = entry.getValue();
                boolean metadata = type.getPackageName().equals("org.apache.kafka.common.metadata");
                for (int version = few ? Messages.highest(type) : Messages.lowest(type); version <= Messages.highest(type); ++version) {
                    for (int index = 0; index < (few ? 5 : CASES); index += few && index == 1 ? 3 : 1) {
                        if (few && index == 0) continue;
                        ApiMessage message = Messages.make(type);
                        new Oracle(entry.getKey(), version, index, metadata).fill(message);
                        out.write(entry.getKey() + " " + version + " " + HexFormat.of().formatHex(encode(message, version)) + "\n");
                    }
                }
            }
        }
    }

    private static void json(Path path) throws Exception {
        try (BufferedWriter out = Files.newBufferedWriter(path)) {
            for (Map.Entry<String, Class<? extends ApiMessage>> entry : Messages.all().entrySet()) {
                Class<? extends ApiMessage> type = entry.getValue();
                String kind = SchemaPrinter.kinds().getOrDefault(type, java.util.List.of("data")).get(0);
                if (kind.equals("data") || kind.startsWith("request") || kind.startsWith("response")) continue;
                java.lang.reflect.Method converter = Class.forName(type.getName() + "JsonConverter").getMethod("write", type, short.class);
                for (int version = Messages.lowest(type); version <= Messages.highest(type); ++version) {
                    for (int index = 0; index < CASES; ++index) {
                        ApiMessage message = Messages.make(type);
                        new Oracle(entry.getKey(), version, index, false).fill(message);
                        out.write(entry.getKey() + "\t" + version + "\t" + HexFormat.of().formatHex(encode(message, version)) + "\t"
                            + converter.invoke(null, message, (short) version) + "\n");
                    }
                }
            }
        }
    }

    private static boolean check(Path path) throws Exception {
        Map<String, Class<? extends ApiMessage>> types = Messages.all();
        int wrong = 0;
        int lines = 0;
        for (String line : Files.readAllLines(path)) {
            String[] words = line.split(" ", -1);
            byte[] ours = HexFormat.of().parseHex(words[2]);
            ApiMessage message = Messages.make(types.get(words[0]));
            String found;
            try {
                ByteBufferAccessor in = new ByteBufferAccessor(ByteBuffer.wrap(ours));
                message.read(in, Short.parseShort(words[1]));
                byte[] theirs = encode(message, Integer.parseInt(words[1]));
                found = in.remaining() > 0 ? in.remaining() + " bytes left over"
                    : java.util.Arrays.equals(ours, theirs) ? null : "Kafka writes " + HexFormat.of().formatHex(theirs);
            } catch (RuntimeException e) {
                found = e.toString();
            }
            ++lines;
            if (found != null && ++wrong <= 20) System.err.println(line + "\n  " + found);
        }
        System.out.println(lines + " messages read by Kafka's classes, " + wrong + " wrong");
        return wrong == 0 && lines > 0;
    }

    public static void main(String[] args) throws Exception {
        if (args[0].equals("write")) {
            write(args[1].equals("few"), Path.of(args[2]));
        } else if (args[0].equals("json")) {
            json(Path.of(args[1]));
        } else if (!check(Path.of(args[1]))) {
            System.exit(1);
        }
    }
}
