import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.BinaryNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.message.FetchResponseData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.requests.RequestHeader;
import org.apache.kafka.common.utils.Crc32C;

/**
 * Sends the steps of a script to a broker and prints one JSON line for each answer; README.md describes the language.
 * java Script.java host:port script...
 */
public class Script {
  static final ObjectMapper JSON = new ObjectMapper();
  static final JsonNodeFactory NODES = JsonNodeFactory.instance;
  static final Map<String, Connection> connections = new HashMap<>();
  static final Map<String, Kept> kept = new LinkedHashMap<>();
  static final PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
  static String host;
  static int port;

  /** A value taken from an answer, with the name of the field it stood in. */
  record Kept(String field, JsonNode value) {}

  static class Connection {
    final Socket socket = new Socket(host, port);
    final DataInputStream in = new DataInputStream(socket.getInputStream());
    int next = 0;

    Connection() throws IOException {
      socket.setTcpNoDelay(true);
      socket.setSoTimeout(15_000);
    }

    void write(byte[] bytes) throws IOException {
      socket.getOutputStream().write(bytes);
      socket.getOutputStream().flush();
    }

    /** The next frame, or null when the broker has closed the connection. */
    ByteBuffer read() throws IOException {
      try {
        byte[] frame = new byte[in.readInt()];
        in.readFully(frame);
        return ByteBuffer.wrap(frame);
      } catch (EOFException | SocketException e) {
        return null;
      }
    }
  }

  static Connection connection(String name) throws IOException {
    if (name.equals("fresh")) return new Connection();
    if (!connections.containsKey(name)) connections.put(name, new Connection());
    return connections.get(name);
  }

  // ---- requests

  /** Fields that a new message leaves out. */
  static final Set<String> TAGGED = Set.of("clusterId", "replicaState");

  static Class<?> converter(Class<?> message) throws Exception {
    String name = message.getName();
    int inner = name.indexOf('$');
    if (inner < 0) return Class.forName(name + "JsonConverter");
    return Class.forName(name.substring(0, inner) + "JsonConverter" + name.substring(inner) + "JsonConverter");
  }

  /** Every field of this version, as the converter wants them: those not given have the value of a new message. */
  static JsonNode complete(Class<?> message, JsonNode given, short version) throws Exception {
    ObjectNode whole = (ObjectNode) converter(message).getMethod("write", message, short.class)
        .invoke(null, message.getConstructor().newInstance(), version);
    for (Iterator<Map.Entry<String, JsonNode>> i = given.fields(); i.hasNext();) {
      Map.Entry<String, JsonNode> field = i.next();
      message.getDeclaredField(field.getKey());
      if (!whole.has(field.getKey()) && !TAGGED.contains(field.getKey())) continue;  // a field of other versions
      whole.set(field.getKey(), completeField(message, field.getKey(), field.getValue(), version));
    }
    return whole;
  }

  static JsonNode completeField(Class<?> message, String name, JsonNode value, short version) throws Exception {
    if (value.isObject()) return complete(message.getDeclaredField(name).getType(), value, version);
    if (!value.isArray() || value.isEmpty() || !value.get(0).isObject()) return value;
    Class<?> element = elementOf(message.getDeclaredField(name).getGenericType());
    ArrayNode whole = NODES.arrayNode();
    for (JsonNode item : value) whole.add(complete(element, item, version));
    return whole;
  }

  static Class<?> elementOf(Type list) {
    if (list instanceof ParameterizedType type) return (Class<?>) type.getActualTypeArguments()[0];
    return elementOf(((Class<?>) list).getGenericSuperclass());
  }

  static byte[] encode(ApiKeys api, short version, JsonNode given, int correlation) throws Exception {
    Class<?> message = ApiMessageType.fromApiKey(api.id).newRequest().getClass();
    ApiMessage body = (ApiMessage) converter(message).getMethod("read", JsonNode.class, short.class)
        .invoke(null, complete(message, given, version), version);
    RequestHeader header = new RequestHeader(api, version, "script", correlation);
    ObjectSerializationCache cache = new ObjectSerializationCache();
    int headSize = header.data().size(cache, header.headerVersion());
    int bodySize = body.size(cache, version);
    ByteBuffer frame = ByteBuffer.allocate(headSize + bodySize);
    header.data().write(new ByteBufferAccessor(frame), cache, header.headerVersion());
    body.write(new ByteBufferAccessor(frame), cache, version);
    return frame.array();
  }

  /** Replaces ${name} by what was kept, ${V} by the version, "#12" by the number, and {"$batches": [...]} and {"$hex": ...} by their bytes. */
  static JsonNode resolve(JsonNode node, int version) throws Exception {
    if (node.isTextual()) return resolveText(node.asText(), version);
    if (node.isArray()) {
      ArrayNode all = NODES.arrayNode();
      for (JsonNode item : node) all.add(resolve(item, version));
      return all;
    }
    if (!node.isObject()) return node;
    ObjectNode all = NODES.objectNode();
    for (Iterator<Map.Entry<String, JsonNode>> i = node.fields(); i.hasNext();) {
      Map.Entry<String, JsonNode> field = i.next();
      all.set(field.getKey(), resolve(field.getValue(), version));
    }
    if (all.has("$hex")) return BinaryNode.valueOf(HexFormat.of().parseHex(all.get("$hex").asText()));
    if (all.has("$batches")) return BinaryNode.valueOf(batches(all.get("$batches")));
    if (all.has("$repeat")) return TextNode.valueOf(all.get("$repeat").asText().repeat(all.get("times").asInt()));
    if (all.has("$many")) {
      ArrayNode many = NODES.arrayNode();
      for (int i = 0; i < all.get("times").asInt(); ++i) many.add(all.get("$many"));
      return many;
    }
    return all;
  }

  static JsonNode resolveText(String text, int version) {
    for (var entry : kept.entrySet()) {
      String name = "${" + entry.getKey() + "}";
      if (text.equals(name)) return entry.getValue().value;
      text = text.replace(name, entry.getValue().value.asText());
    }
    text = text.replace("${V}", Integer.toString(version));
    return text.matches("#-?[0-9]+") ? NODES.numberNode(Integer.parseInt(text.substring(1))) : TextNode.valueOf(text);
  }

  // ---- record batches

  static final Map<String, int[]> FIELDS = Map.ofEntries(Map.entry("baseOffset", new int[] {0, 8}),
      Map.entry("length", new int[] {8, 4}), Map.entry("leaderEpoch", new int[] {12, 4}), Map.entry("magic", new int[] {16, 1}),
      Map.entry("crc", new int[] {17, 4}), Map.entry("attributes", new int[] {21, 2}),
      Map.entry("lastOffsetDelta", new int[] {23, 4}), Map.entry("baseTimestamp", new int[] {27, 8}),
      Map.entry("maxTimestamp", new int[] {35, 8}), Map.entry("producerId", new int[] {43, 8}),
      Map.entry("producerEpoch", new int[] {51, 2}), Map.entry("baseSequence", new int[] {53, 4}),
      Map.entry("count", new int[] {57, 4}));

  static byte[] batches(JsonNode descriptions) throws Exception {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (JsonNode description : descriptions) all.write(batch(description));
    return all.toByteArray();
  }

  static byte[] batch(JsonNode b) throws Exception {
    byte magic = (byte) b.path("magic").asInt(2);
    Compression codec = Compression.of(CompressionType.forName(b.path("codec").asText("none"))).build();
    MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1024), magic, codec, TimestampType.CREATE_TIME, 0L, -1L,
        b.path("pid").asLong(-1), (short) b.path("epoch").asInt(-1), b.path("seq").asInt(-1), b.path("transactional").asBoolean(false),
        false, -1);
    long time = b.path("time").asLong(1_000_000);
    int at = 0;
    for (JsonNode record : b.path("records")) {
      byte[] key = bytes(record.get(0));
      byte[] value = bytes(record.get(1));
      builder.append(record.has(2) ? record.get(2).asLong() : time + at, key, value);
      ++at;
    }
    ByteBuffer built = builder.build().buffer();
    byte[] bytes = new byte[built.remaining()];
    built.get(bytes);
    return patch(bytes, b);
  }

  static byte[] bytes(JsonNode text) {
    return text.isNull() ? null : text.asText().getBytes(StandardCharsets.UTF_8);
  }

  /** "set" overwrites fields of a v2 header, "poke" bytes anywhere; the checksum follows unless it is set itself. */
  static byte[] patch(byte[] bytes, JsonNode b) {
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    b.path("set").fields().forEachRemaining(e -> put(buffer, FIELDS.get(e.getKey()), e.getValue().asLong()));
    b.path("poke").fields().forEachRemaining(e -> {
      int at = Integer.parseInt(e.getKey());
      byte[] poked = HexFormat.of().parseHex(e.getValue().asText());
      System.arraycopy(poked, 0, bytes, at < 0 ? bytes.length + at : at, poked.length);
    });
    if (bytes.length >= 61 && bytes[16] == 2 && !b.path("set").has("crc")) {
      buffer.putInt(17, (int) Crc32C.compute(bytes, 21, bytes.length - 21));
    }
    return java.util.Arrays.copyOf(bytes, bytes.length + b.path("extra").asInt(0));
  }

  static void put(ByteBuffer buffer, int[] place, long value) {
    for (int i = 0; i < place[1]; ++i) buffer.put(place[0] + i, (byte) (value >> (8 * (place[1] - 1 - i))));
  }

  static JsonNode describe(MemoryRecords records) {
    if (records == null) return NODES.nullNode();
    ArrayNode all = NODES.arrayNode();
    try {
      for (RecordBatch batch : records.batches()) {
        all.add(String.format("%d..%d magic %d %s %s pid %d/%d seq %d..%d leader %d max %d%s%s crc %s", batch.baseOffset(),
            batch.lastOffset(), batch.magic(), batch.compressionType(), batch.timestampType(), batch.producerId(),
            batch.producerEpoch(), batch.baseSequence(), batch.lastSequence(), batch.partitionLeaderEpoch(), batch.maxTimestamp(),
            batch.isTransactional() ? " transactional" : "", batch.isControlBatch() ? " control" : "", batch.isValid()));
        for (Record record : batch) all.add(record.offset() + ": " + record.timestamp() + " " + text(record.key()) + "=" + text(record.value()));
      }
    } catch (RuntimeException e) {
      all.add("unreadable: " + e.getClass().getSimpleName());
    }
    return all;
  }

  static String text(ByteBuffer bytes) {
    if (bytes == null) return "null";
    String text = StandardCharsets.UTF_8.decode(bytes).toString();
    return text.length() > 40 ? text.length() + " characters" : text;
  }

  // ---- answers

  static JsonNode decode(ApiKeys api, short version, int correlation, ByteBuffer frame) throws Exception {
    if (frame == null) return TextNode.valueOf("closed");
    if (frame.remaining() < 4) return TextNode.valueOf("frame of " + frame.remaining() + " bytes");
    int answered = frame.getInt();
    if (answered != correlation) return TextNode.valueOf("correlation " + answered + " instead of " + correlation);
    if (api.responseHeaderVersion(version) >= 1) frame.get();
    if (api == ApiKeys.API_VERSIONS && frame.remaining() >= 2 && frame.getShort(frame.position()) == 35) version = 0;
    ApiMessage body = ApiMessageType.fromApiKey(api.id).newResponse();
    try {
      body.read(new ByteBufferAccessor(frame), version);
    } catch (RuntimeException e) {
      return TextNode.valueOf("unreadable: " + e.getMessage());
    }
    ObjectNode node = (ObjectNode) converter(body.getClass()).getMethod("write", body.getClass(), short.class).invoke(null, body, version);
    if (body instanceof FetchResponseData fetched) addRecords(fetched, node);
    if (frame.hasRemaining()) node.put("bytes behind the answer", frame.remaining());
    return node;
  }

  static void addRecords(FetchResponseData fetched, JsonNode node) {
    for (int i = 0; i < fetched.responses().size(); ++i) {
      var partitions = fetched.responses().get(i).partitions();
      for (int j = 0; j < partitions.size(); ++j) {
        ObjectNode partition = (ObjectNode) node.get("responses").get(i).get("partitions").get(j);
        partition.set("records", describe((MemoryRecords) partitions.get(j).records()));
      }
    }
  }

  /** Shows kept values by their names: texts wherever they stand, numbers in the field that they were taken from. */
  static JsonNode hide(String field, JsonNode node) {
    if (node.isObject()) {
      ObjectNode all = NODES.objectNode();
      node.fields().forEachRemaining(e -> all.set(e.getKey(), hide(e.getKey(), e.getValue())));
      return all;
    }
    if (node.isArray()) {
      ArrayNode all = NODES.arrayNode();
      for (JsonNode item : node) all.add(hide(field, item));
      return all;
    }
    if (node.isNumber()) {
      for (var entry : kept.entrySet()) {
        if (entry.getValue().field.equals(field) && entry.getValue().value.asLong() == node.asLong()) return TextNode.valueOf("<" + entry.getKey() + ">");
      }
      return node;
    }
    if (!node.isTextual()) return node;
    String text = node.asText();
    for (var entry : kept.entrySet()) {
      String value = entry.getValue().value.asText();
      if (entry.getValue().value.isTextual() && value.length() > 8) text = text.replace(value, "<" + entry.getKey() + ">");
      else if (field.equals("records") && entry.getValue().field.equals("producerId")) text = text.replace("pid " + value + "/", "pid <" + entry.getKey() + ">/");
    }
    return TextNode.valueOf(text);
  }

  static void keep(JsonNode step, JsonNode answer, int version) {
    step.path("keep").fields().forEachRemaining(e -> {
      String pointer = e.getValue().asText();
      JsonNode value = answer.at(pointer);
      if (!value.isMissingNode() && !value.isNull()) {
        kept.put(e.getKey().replace("${V}", Integer.toString(version)), new Kept(pointer.substring(pointer.lastIndexOf('/') + 1), value));
      }
    });
  }

  static void print(String name, int version, JsonNode answer) {
    ObjectNode line = NODES.objectNode();
    line.put("step", name);
    if (version >= 0) line.put("v", version);
    line.set("answer", hide("", answer));
    out.println(line);
  }

  // ---- steps

  static JsonNode exchange(JsonNode step, ApiKeys api, short version) throws Exception {
    String on = step.path("on").asText("main");
    Connection connection = connection(on);
    int correlation = connection.next++;
    byte[] frame = encode(api, version, resolve(step.path("body").isMissingNode() ? NODES.objectNode() : step.get("body"), version), correlation);
    int size = frame.length + step.path("tail").asInt(0) - step.path("cut").asInt(0);
    frame = java.util.Arrays.copyOf(frame, size);
    if (step.has("as")) ByteBuffer.wrap(frame).putShort(2, (short) step.get("as").asInt());
    try {
      connection.write(ByteBuffer.allocate(4 + size).putInt(size).put(frame).array());
    } catch (SocketException e) {
      connections.remove(on);
      return TextNode.valueOf("closed");
    }
    if (step.path("silent").asBoolean(false)) return TextNode.valueOf("not awaited");
    long start = System.nanoTime();
    JsonNode answer;
    try {
      answer = decode(api, step.has("read") ? (short) step.get("read").asInt() : version, correlation, connection.read());
    } catch (SocketTimeoutException e) {
      answer = TextNode.valueOf("no answer");
    }
    if (answer.isTextual()) connections.remove(on);
    if (on.equals("fresh")) connection.socket.close();
    if (step.path("timed").asBoolean(false) && answer.isObject()) {
      ((ObjectNode) answer).put("waited", System.nanoTime() - start >= 250_000_000L);
    }
    return answer;
  }

  /** With "until" a request is repeated until its answer has those values; the last answer counts. */
  static JsonNode settle(JsonNode step, ApiKeys api, short version) throws Exception {
    long deadline = System.nanoTime() + 15_000_000_000L;
    while (true) {
      JsonNode answer = exchange(step, api, version);
      boolean done = true;
      for (Iterator<Map.Entry<String, JsonNode>> i = step.path("until").fields(); i.hasNext();) {
        Map.Entry<String, JsonNode> want = i.next();
        if (!answer.at(want.getKey()).asText().equals(want.getValue().asText())) done = false;
      }
      if (done || System.nanoTime() > deadline) return answer;
      Thread.sleep(20);
    }
  }

  static void frames(JsonNode step) throws Exception {
    Connection connection = new Connection();
    connection.write(HexFormat.of().parseHex(step.get("frame").asText().replace(" ", "")));
    ByteBuffer frame = null;
    JsonNode answer;
    try {
      frame = connection.read();
      if (frame == null) answer = TextNode.valueOf("closed");
      else if (step.has("api")) answer = decode(ApiKeys.valueOf(step.get("api").asText()), (short) step.get("v").asInt(), frame.getInt(0), frame);
      else answer = TextNode.valueOf("answered");
    } catch (SocketTimeoutException e) {
      answer = TextNode.valueOf("no answer");
    }
    connection.socket.close();
    print(step.get("step").asText(), -1, answer);
  }

  static void run(JsonNode step) throws Exception {
    if (step.has("frame")) {
      frames(step);
      return;
    }
    ApiKeys api = ApiKeys.valueOf(step.get("api").asText());
    int first = api.oldestVersion();
    int last = api.latestVersion(false);
    String versions = step.path("v").asText("all");
    if (!versions.equals("all")) {
      String[] ends = versions.split("-", 2);
      first = Integer.parseInt(ends[0]);
      last = ends.length == 1 ? first : ends[1].isEmpty() ? last : Integer.parseInt(ends[1]);
    }
    for (int version = first; version <= last; ++version) {
      JsonNode answer = settle(step, api, (short) version);
      keep(step, answer, version);
      if (!step.path("quiet").asBoolean(false)) print(step.get("step").asText(), version, answer);
    }
  }

  public static void main(String[] args) throws Exception {
    host = args[0].split(":")[0];
    port = Integer.parseInt(args[0].split(":")[1]);
    kept.put("PORT", new Kept("port", NODES.numberNode(port)));
    for (int i = 1; i < args.length; ++i) {
      int number = 0;
      for (String line : Files.readAllLines(Path.of(args[i]))) {
        ++number;
        line = line.strip();
        if (line.isEmpty() || line.startsWith("#")) continue;
        long start = System.nanoTime();
        try {
          run(JSON.readTree(line));
          if (System.getenv("STEP_TIMES") != null) System.err.println((System.nanoTime() - start) / 1000000 + " ms " + line.substring(0, 60));
        } catch (Exception e) {
          out.flush();
          throw new RuntimeException(args[i] + ":" + number + ": " + line, e);
        }
      }
    }
    out.flush();
    System.exit(0);
  }
}
