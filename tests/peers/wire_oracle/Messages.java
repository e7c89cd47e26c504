import java.io.File;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.jar.JarFile;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field.TaggedFieldsSection;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;

/** What reflection tells about the message classes of the released jars: the classes, their fields, and each field at each version. */
final class Messages {
    private static final List<String> PACKAGES = List.of("org/apache/kafka/common/message/", "org/apache/kafka/common/metadata/",
        "org/apache/kafka/coordinator/group/generated/", "org/apache/kafka/coordinator/share/generated/",
        "org/apache/kafka/coordinator/transaction/generated/", "org/apache/kafka/raft/generated/",
        "org/apache/kafka/server/log/remote/metadata/storage/generated/");

    /** A field as one version has it on the wire. */
    record WireField(String name, org.apache.kafka.common.protocol.types.Type type, int tag) {
        boolean nullable() {
            return type.isNullable();
        }
    }

    private Messages() {}

    /** Every message class of the class path by our name for it. */
    static Map<String, Class<? extends ApiMessage>> all() throws Exception {
        Map<String, Class<? extends ApiMessage>> found = new TreeMap<>();
        for (String path : System.getProperty("java.class.path").split(File.pathSeparator)) {
            if (!new File(path).getName().startsWith("kafka-")) continue;
            try (JarFile jar = new JarFile(path)) {
                for (String entry : jar.stream().map(e -> e.getName()).toList()) {
                    int slash = entry.lastIndexOf('/') + 1;
                    if (!entry.endsWith(".class") || entry.contains("$") || !PACKAGES.contains(entry.substring(0, slash))) continue;
                    Class<?> type = Class.forName(entry.substring(0, entry.length() - 6).replace('/', '.'));
                    if (!ApiMessage.class.isAssignableFrom(type)) continue;
                    Class<?> old = found.put(name(type), type.asSubclass(ApiMessage.class));
                    if (old != null) throw new IllegalStateException("two classes are named " + name(type));
                }
            }
        }
        return found;
    }

    static String name(Class<?> type) {
        String name = type.getSimpleName();
        return name.endsWith("Data") && name.length() > 4 ? name.substring(0, name.length() - 4) : name;
    }

    static <T> T make(Class<T> type) {
        try {
            Constructor<T> constructor = type.getDeclaredConstructor();
            constructor.setAccessible(true);
            return constructor.newInstance();
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(type.getName(), e);
        }
    }

    static Schema[] schemas(Class<?> type) {
        return (Schema[]) constant(type, "SCHEMAS");
    }

    static short lowest(Class<?> type) {
        return (short) constant(type, "LOWEST_SUPPORTED_VERSION");
    }

    static short highest(Class<?> type) {
        return (short) constant(type, "HIGHEST_SUPPORTED_VERSION");
    }

    private static Object constant(Class<?> type, String name) {
        try {
            return type.getDeclaredField(name).get(null);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(type.getName() + "." + name, e);
        }
    }

    /** The data members in the order in which they are declared, by their snake_case name. */
    static Map<String, Field> members(Class<?> type) {
        Map<String, Field> members = new java.util.LinkedHashMap<>();
        for (Field field : type.getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers()) || field.getName().startsWith("_")) continue;
            // Bookkeeping of ImplicitLinkedHashCollection, not part of the message.
            if (field.getName().equals("next") || field.getName().equals("prev")) continue;
            field.setAccessible(true);
            members.put(snake(field.getName()), field);
        }
        return members;
    }

    static String snake(String camel) {
        StringBuilder out = new StringBuilder();
        for (char c : camel.toCharArray()) {
            if (Character.isUpperCase(c) && out.length() > 0) out.append('_');
            out.append(Character.toLowerCase(c));
        }
        return out.toString();
    }

    /** The fields that `version` of the class writes, by name. Empty where the class does not exist at that version. */
    static Map<String, WireField> wireFields(Class<?> type, int version) {
        Map<String, WireField> fields = new HashMap<>();
        Schema[] schemas = schemas(type);
        if (version >= schemas.length || schemas[version] == null) return fields;
        for (BoundField bound : schemas[version].fields()) {
            if (bound.def instanceof TaggedFieldsSection) {
                for (var tagged : ((TaggedFields) bound.def.type).fields().entrySet()) {
                    fields.put(ourName(tagged.getValue().name), new WireField(tagged.getValue().name, tagged.getValue().type, tagged.getKey()));
                }
            } else {
                fields.put(ourName(bound.def.name), new WireField(bound.def.name, bound.def.type, -1));
            }
        }
        return fields;
    }

    /** Kafka's schemas have kraft_version beside k_raft_version_feature; both are the latter form of the members' names here. */
    private static String ourName(String name) {
        return name.replace("kraft", "k_raft");
    }

    static boolean flexible(Class<?> type, int version) {
        Schema schema = schemas(type)[version];
        return schema != null && Arrays.stream(schema.fields()).anyMatch(f -> f.def instanceof TaggedFieldsSection);
    }

    /** The element class of a list-like member, null for any other member. */
    static Class<?> elementClass(Field field) {
        if (!java.util.Collection.class.isAssignableFrom(field.getType())) return null;
        Type generic = field.getGenericType();
        if (!(generic instanceof ParameterizedType)) generic = field.getType().getGenericSuperclass();
        return (Class<?>) ((ParameterizedType) generic).getActualTypeArguments()[0];
    }

    static boolean isStruct(Class<?> type) {
        return type != null && Message.class.isAssignableFrom(type);
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static java.util.Collection<Object> makeList(Field field) {
        return field.getType() == List.class ? new ArrayList<>() : (java.util.Collection) make(field.getType());
    }

    static Object get(Field field, Object owner) {
        try {
            return field.get(owner);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }

    static void set(Field field, Object owner, Object value) {
        try {
            field.set(owner, value);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Any value of a member's type that is not its default. */
    static Object other(Field field, Object current) {
        Class<?> type = field.getType();
        if (type == boolean.class) return !(boolean) current;
        if (type == byte.class) return (byte) ((byte) current + 1);
        if (type == short.class) return (short) ((short) current + 1);
        if (type == int.class) return (int) current + 1;
        if (type == long.class) return (long) current + 1;
        if (type == double.class) return (double) current + 1;
        if (type == String.class) return "other";
        if (type == Uuid.class) return new Uuid(3, 4);
        if (type == byte[].class) return new byte[] {1};
        if (type == ByteBuffer.class) return ByteBuffer.wrap(new byte[] {1});
        if (isStruct(type)) {
            Object made = make(type);
            for (Field member : members(type).values()) {
                Object old = get(member, made);
                set(member, made, other(member, old));
                break;
            }
            return made;
        }
        Class<?> element = elementClass(field);
        if (element != null) {
            java.util.Collection<Object> list = makeList(field);
            list.add(isStruct(element) ? make(element) : element == Integer.class ? (Object) 1 : element == Long.class ? (Object) 1L
                : element == Short.class ? (Object) (short) 1 : element == Byte.class ? (Object) (byte) 1
                : element == String.class ? (Object) "a" : element == Uuid.class ? new Uuid(1, 2) : new byte[0]);
            return list;
        }
        return org.apache.kafka.common.record.internal.MemoryRecords.readableRecords(ByteBuffer.wrap(new byte[] {1}));
    }
}
