import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.IntPredicate;
import java.util.stream.Collectors;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.metadata.MetadataRecordType;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageSizeAccumulator;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

/**
 * Prints one schema file per message of the jars, in the language that src/wire/README.md describes.
 * Types, versions and tags come from the SCHEMAS of each class; defaults from a new object; whether a field may be left out
 * of a version that lacks it comes from trying.
 */
public final class SchemaPrinter {
    private final StringBuilder out = new StringBuilder();
    private final Set<Class<?>> printed = new HashSet<>();
    private final int low;
    private final int high;
    private final int flexible;

    private SchemaPrinter(String name, String kind, List<String> more, Class<? extends ApiMessage> type) {
        low = Messages.lowest(type);
        high = Messages.highest(type);
        int first = -1;
        for (int v = high; v >= low && Messages.flexible(type, v); --v) first = v;
        flexible = first;
        out.append("message ").append(name).append('\n').append("kind ").append(kind).append('\n');
        out.append("versions ").append(low == high ? "" + low : low + "-" + high).append('\n');
        out.append("flexible ").append(first < 0 ? "none" : first + "+").append('\n');
        more.forEach(line -> out.append(line).append('\n'));
        if (!Messages.members(type).isEmpty()) out.append('\n');
        struct(type, "");
    }

    private void struct(Class<?> type, String indent) {
        printed.add(type);
        Object fresh = Messages.make(type);
        for (int v = low; v <= high; ++v) {
            Set<String> unknown = new HashSet<>(Messages.wireFields(type, v).keySet());
            unknown.removeAll(Messages.members(type).keySet());
            if (!unknown.isEmpty()) throw new IllegalStateException(type + " has no member for " + unknown);
        }
        for (Map.Entry<String, Field> member : Messages.members(type).entrySet()) field(type, fresh, member.getKey(), member.getValue(), indent);
    }

    private void field(Class<?> owner, Object fresh, String name, Field field, String indent) {
        Map<Integer, Messages.WireField> at = new TreeMap<>();
        for (int v = low; v <= high; ++v) {
            Messages.WireField wire = Messages.wireFields(owner, v).get(name);
            if (wire != null) at.put(v, wire);
        }
        Class<?> element = Messages.elementClass(field);
        Class<?> struct = Messages.isStruct(field.getType()) ? field.getType() : Messages.isStruct(element) ? element : null;
        // Such as what only version 0 of ShareFetch had, which is gone.
        if (at.isEmpty()) return;
        out.append(indent).append(name).append(' ').append(typeName(field, element, at.values().iterator().next()));
        out.append(' ').append(range(at::containsKey));
        Set<Integer> tags = at.values().stream().map(Messages.WireField::tag).collect(Collectors.toSet());
        if (tags.size() != 1) throw new IllegalStateException(owner + "." + name + " is tagged in some versions only");
        int tag = tags.iterator().next();
        if (tag >= 0) out.append(" tag ").append(tag);
        if (at.values().stream().anyMatch(Messages.WireField::nullable)) out.append(" nullable ").append(range(v -> at.containsKey(v) && at.get(v).nullable()));
        // The client id of a request header stays in the old form in flexible versions.
        if (flexible >= 0 && at.containsKey(high) && at.get(high).type().toString().matches("(NULLABLE_)?(STRING|BYTES)")) out.append(" plain");
        String value = defaultText(Messages.get(field, fresh));
        if (value != null) out.append(" = ").append(value);
        if (mayBeIgnored(owner, field, name, at)) out.append(" ignorable");
        out.append('\n');
        if (struct != null && !printed.contains(struct)) struct(struct, indent + "  ");
    }

    private String typeName(Field field, Class<?> element, Messages.WireField wire) {
        if (element != null) return "[" + scalarName(element, wire.type().arrayElementType().get().toString()) + "]";
        return scalarName(field.getType(), wire.type().toString());
    }

    private static String scalarName(Class<?> type, String wireType) {
        if (Messages.isStruct(type)) return type.getSimpleName();
        String name = wireType.replace("COMPACT_", "").replace("NULLABLE_", "").toLowerCase();
        return switch (name) {
            case "boolean" -> "bool";
            case "unsigned_int32" -> "uint32";
            default -> name;
        };
    }

    private static String defaultText(Object value) {
        if (value == null) return "null";
        if (value instanceof Boolean b) return b ? "true" : null;
        if (value instanceof Number n) return n.doubleValue() == 0 ? null : n.toString();
        if (value instanceof String s) return s.isEmpty() ? null : "\"" + s + "\"";
        return null;
    }

    private String range(IntPredicate has) {
        int first = -1;
        int last = -1;
        for (int v = low; v <= high; ++v) {
            if (!has.test(v)) continue;
            if (first >= 0 && last != v - 1) throw new IllegalStateException("versions with a hole");
            if (first < 0) first = v;
            last = v;
        }
        return last == high ? first + "+" : first == last ? "" + first : first + "-" + last;
    }

    private boolean mayBeIgnored(Class<?> owner, Field field, String name, Map<Integer, Messages.WireField> at) {
        for (int v = Math.max(low, Messages.lowest(owner)); v <= Math.min(high, Messages.highest(owner)); ++v) {
            if (at.containsKey(v) || Messages.schemas(owner)[v] == null) continue;
            Message message = (Message) Messages.make(owner);
            // Other fields whose default is null may be refused at this version before ours is looked at.
            for (Map.Entry<String, Field> member : Messages.members(owner).entrySet()) {
                Messages.WireField wire = Messages.wireFields(owner, v).get(member.getKey());
                Object value = Messages.get(member.getValue(), message);
                if (value == null && wire != null && !wire.nullable()) Messages.set(member.getValue(), message, Messages.other(member.getValue(), null));
            }
            Messages.set(field, message, Messages.other(field, Messages.get(field, message)));
            try {
                ObjectSerializationCache cache = new ObjectSerializationCache();
                message.addSize(new MessageSizeAccumulator(), cache, (short) v);
                message.write(new ByteBufferAccessor(ByteBuffer.allocate(10_000)), cache, (short) v);
                return true;
            } catch (UnsupportedVersionException e) {
                if (!e.getMessage().contains(field.getName())) throw new IllegalStateException(owner + "." + name + ": " + e.getMessage());
                return false;
            }
        }
        return false;
    }

    /** What each class is for: the words after "kind" in its schema, and the lines that follow. */
    static Map<Class<?>, List<String>> kinds() {
        Map<Class<?>, List<String>> kinds = new LinkedHashMap<>();
        for (ApiMessageType type : ApiMessageType.values()) {
            ApiMessage request;
            try {
                request = type.newRequest();
            } catch (RuntimeException removed) {
                continue;
            }
            List<String> lines = new ArrayList<>(List.of("request " + type.apiKey()));
            if (!type.listeners().isEmpty()) {
                lines.add("listeners " + type.listeners().stream().map(l -> l.name().toLowerCase()).sorted().collect(Collectors.joining(" ")));
            }
            if (type.latestVersionUnstable()) lines.add("latest unstable");
            kinds.put(request.getClass(), lines);
            kinds.put(type.newResponse().getClass(), List.of("response " + type.apiKey()));
        }
        for (MetadataRecordType type : MetadataRecordType.values()) kinds.put(type.newMetadataRecord().getClass(), List.of("record " + type.id()));
        for (var type : org.apache.kafka.server.log.remote.metadata.storage.generated.MetadataRecordType.values()) {
            kinds.put(type.newMetadataRecord().getClass(), List.of("remote-record " + type.id()));
        }
        for (var type : org.apache.kafka.coordinator.group.generated.CoordinatorRecordType.values()) {
            kinds.put(type.newRecordKey().getClass(), List.of("group-key " + type.id()));
            kinds.put(type.newRecordValue().getClass(), List.of("group-value " + type.id()));
        }
        for (var type : org.apache.kafka.coordinator.share.generated.CoordinatorRecordType.values()) {
            kinds.put(type.newRecordKey().getClass(), List.of("share-key " + type.id()));
            kinds.put(type.newRecordValue().getClass(), List.of("share-value " + type.id()));
        }
        for (var type : org.apache.kafka.coordinator.transaction.generated.CoordinatorRecordType.values()) {
            kinds.put(type.newRecordKey().getClass(), List.of("transaction-key " + type.id()));
            kinds.put(type.newRecordValue().getClass(), List.of("transaction-value " + type.id()));
        }
        return kinds;
    }

    public static void main(String[] args) throws Exception {
        Path directory = Path.of(args[0]);
        Map<Class<?>, List<String>> kinds = kinds();
        for (Map.Entry<String, Class<? extends ApiMessage>> entry : Messages.all().entrySet()) {
            Class<? extends ApiMessage> type = entry.getValue();
            if (Messages.lowest(type) > Messages.highest(type)) continue;
            List<String> kind = kinds.getOrDefault(type, List.of("data"));
            SchemaPrinter printer;
            try {
                printer = new SchemaPrinter(entry.getKey(), kind.get(0), kind.subList(1, kind.size()), type);
            } catch (RuntimeException e) {
                throw new IOException("cannot print " + entry.getKey(), e);
            }
            Files.writeString(directory.resolve(entry.getKey() + ".schema"), printer.out);
        }
    }
}
