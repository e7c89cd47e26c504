import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.requests.RequestHeader;

/**
 * Runs a script of raw requests against a broker and prints the answers, so that two brokers can be compared.
 * java GroupScript.java host:port script.txt
 *
 * send CONN API VERSION JSON     sends and does not wait; JSON may be relaxed: missing fields take their defaults
 * recv CONN [NAME=/pointer ...]  prints the next answer of CONN; keeps fields under names
 * quiet CONN MS                  prints whether CONN stays without an answer for so long
 * call CONN API VERSION JSON [-> NAME=/pointer ...]   both in one line
 * sleep MS
 * A kept value is written ${NAME}, and printed as <NAME>.
 */
public class GroupScript {
  static final ObjectMapper JSON = new ObjectMapper();
  static final Map<String, Connection> connections = new HashMap<>();
  static final Map<String, String> kept = new LinkedHashMap<>();
  static String host;
  static int port;

  record Pending(ApiKeys api, short version, int correlation) {}

  static class Connection {
    final Socket socket = new Socket(host, port);
    final DataInputStream in = new DataInputStream(socket.getInputStream());
    final DataOutputStream out = new DataOutputStream(socket.getOutputStream());
    final java.util.ArrayDeque<Pending> pending = new java.util.ArrayDeque<>();
    int next = 0;

    Connection() throws Exception {
      socket.setSoTimeout(30_000);
    }

    void send(ApiKeys api, short version, String text) throws Exception {
      JsonNode node = withDefaults(api, version, JSON.readTree(text));
      ApiMessage body = (ApiMessage) converter(api, "Request").getMethod("read", JsonNode.class, short.class)
          .invoke(null, node, version);
      RequestHeader header = new RequestHeader(api, version, "script", next);
      ObjectSerializationCache cache = new ObjectSerializationCache();
      int headSize = header.data().size(cache, header.headerVersion());
      int bodySize = body.size(cache, version);
      ByteBuffer frame = ByteBuffer.allocate(4 + headSize + bodySize);
      frame.putInt(headSize + bodySize);
      header.data().write(new ByteBufferAccessor(frame), cache, header.headerVersion());
      body.write(new ByteBufferAccessor(frame), cache, version);
      out.write(frame.array());
      out.flush();
      pending.add(new Pending(api, version, next++));
    }

    String receive() throws Exception {
      Pending request = pending.remove();
      byte[] frame;
      try {
        frame = new byte[in.readInt()];
        in.readFully(frame);
      } catch (java.io.EOFException | java.net.SocketException e) {
        return "closed";
      }
      ByteBuffer buffer = ByteBuffer.wrap(frame);
      if (buffer.getInt() != request.correlation) return "wrong correlation";
      if (request.api.responseHeaderVersion(request.version) >= 1) buffer.get();
      ApiMessage body = ApiMessageType.fromApiKey(request.api.id).newResponse();
      body.read(new ByteBufferAccessor(buffer), request.version);
      JsonNode node = (JsonNode) converter(request.api, "Response")
          .getMethod("write", body.getClass(), short.class).invoke(null, body, request.version);
      return node + (buffer.hasRemaining() ? " +" + buffer.remaining() + " bytes" : "");
    }
  }

  static Class<?> converter(ApiKeys api, String kind) throws Exception {
    String name = ApiMessageType.fromApiKey(api.id).name;
    return Class.forName("org.apache.kafka.common.message." + name + kind + "DataJsonConverter");
  }

  // The converter asks for every field: those that are not given are taken from an empty message.
  static JsonNode withDefaults(ApiKeys api, short version, JsonNode given) throws Exception {
    ApiMessage empty = ApiMessageType.fromApiKey(api.id).newRequest();
    JsonNode node = (JsonNode) converter(api, "Request").getMethod("write", empty.getClass(), short.class)
        .invoke(null, empty, version);
    var merged = (com.fasterxml.jackson.databind.node.ObjectNode) node;
    given.fields().forEachRemaining(e -> merged.set(e.getKey(), e.getValue()));
    return merged;
  }

  static Connection connection(String name) throws Exception {
    if (!connections.containsKey(name)) connections.put(name, new Connection());
    return connections.get(name);
  }

  static String hide(String text) {
    for (var entry : kept.entrySet()) text = text.replace(entry.getValue(), "<" + entry.getKey() + ">");
    return text;
  }

  static void receive(String name, String[] keep) throws Exception {
    String answer = connection(name).receive();
    if (answer.startsWith("{")) {
      JsonNode node = JSON.readTree(answer);
      for (String assignment : keep) {
        String[] parts = assignment.split("=", 2);
        String value = node.at(parts[1]).asText();
        if (!value.isEmpty()) kept.put(parts[0], value);
      }
    }
    System.out.println("  " + name + " <- " + hide(answer));
  }

  static void send(String[] words) throws Exception {
    connection(words[1]).send(ApiKeys.valueOf(words[2]), Short.parseShort(words[3]), words[4]);
  }

  public static void main(String[] args) throws Exception {
    host = args[0].split(":")[0];
    port = Integer.parseInt(args[0].split(":")[1]);
    for (String line : Files.readAllLines(Path.of(args[1]))) {
      line = line.strip();
      if (line.isEmpty()) continue;
      System.out.println(line);
      if (line.startsWith("#")) continue;
      for (var entry : kept.entrySet()) line = line.replace("${" + entry.getKey() + "}", entry.getValue());
      String keep = "";
      int arrow = line.lastIndexOf(" -> ");
      if (arrow > 0) {
        keep = line.substring(arrow + 4);
        line = line.substring(0, arrow);
      }
      String[] words = line.split(" ", 5);
      String[] names = keep.isEmpty() ? new String[0] : keep.split(" ");
      switch (words[0]) {
        case "send" -> send(words);
        case "recv" -> receive(words[1], names);
        case "call" -> {
          send(words);
          receive(words[1], names);
        }
        case "sleep" -> Thread.sleep(Long.parseLong(words[1]));
        case "quiet" -> {
          Thread.sleep(Long.parseLong(words[2]));
          System.out.println("  " + words[1] + (connection(words[1]).in.available() > 0 ? " has an answer" : " waits"));
        }
        default -> throw new IllegalArgumentException(line);
      }
    }
    System.exit(0);
  }
}
