// Reads topic configs, one set per line as name=value fields separated by tabs, asks Apache Kafka's LogConfig whether a topic
// may have them, and prints each set with its answer: "ok", or the exception's class and message.
//   java -cp '<jars>/*' TopicAnswers.java < topic_cases.tsv > golden/topic_answers.tsv
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import kafka.server.KafkaConfig;
import org.apache.kafka.storage.internals.log.LogConfig;

public class TopicAnswers {
    public static void main(String[] args) throws Exception {
        Properties broker = new Properties();
        broker.put("node.id", "1");
        broker.put("process.roles", "broker,controller");
        broker.put("controller.listener.names", "CONTROLLER");
        broker.put("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093");
        broker.put("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT");
        broker.put("controller.quorum.voters", "1@localhost:9093");
        KafkaConfig config = KafkaConfig.fromProps(broker, false);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null; ) {
            Map<String, String> set = new HashMap<>();
            if (!line.isEmpty()) for (String field : line.split("\t", -1)) {
                int equals = field.indexOf('=');
                set.put(field.substring(0, equals), field.substring(equals + 1).replace("\\t", "\t"));
            }
            String answer = "ok";
            try {
                LogConfig.validate(new HashMap<>(), set, config.extractLogConfigMap(), false);
            } catch (Exception e) {
                answer = e.getClass().getSimpleName() + "\t" + String.valueOf(e.getMessage()).replace("\n", "\\n");
            }
            System.out.println(line + "\t" + answer);
        }
    }
}
