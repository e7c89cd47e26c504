// Prints how a running Apache Kafka broker describes its configs, a topic's and a group's: one line per config,
//   resource, name, value, source, read-only, sensitive, type, synonyms ("name=value@source", separated by ";")
// where <null> stands for a null value. Dynamic configs are set first, so that every source occurs.
//   java -cp '<jars>/*' DescribeAnswers.java localhost:22000 > golden/describe.tsv
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.config.ConfigResource;

public class DescribeAnswers {
    static String text(String value) {
        return value == null ? "<null>" : value.replace("\t", "\\t").replace("\n", "\\n");
    }

    static void set(Admin admin, ConfigResource resource, String name, String value) throws Exception {
        admin.incrementalAlterConfigs(Map.of(resource,
            List.of(new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET)))).all().get();
    }

    static String value(Admin admin, ConfigResource resource, String name) throws Exception {
        return admin.describeConfigs(List.of(resource)).all().get().get(resource).get(name).value();
    }

    static void describe(Admin admin, String label, ConfigResource resource) throws Exception {
        var options = new DescribeConfigsOptions().includeSynonyms(true);
        var config = admin.describeConfigs(List.of(resource), options).all().get().get(resource);
        var sorted = new TreeMap<String, ConfigEntry>();
        for (ConfigEntry entry : config.entries()) sorted.put(entry.name(), entry);
        for (ConfigEntry entry : sorted.values()) {
            String synonyms = entry.synonyms().stream()
                .map(s -> s.name() + "=" + text(s.value()) + "@" + s.source()).collect(Collectors.joining(";"));
            System.out.println(String.join("\t", label, entry.name(), text(entry.value()), entry.source().toString(),
                String.valueOf(entry.isReadOnly()), String.valueOf(entry.isSensitive()), entry.type().toString(), synonyms));
        }
    }

    public static void main(String[] args) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", args[0]);
        try (Admin admin = Admin.create(properties)) {
            var broker = new ConfigResource(ConfigResource.Type.BROKER, "1");
            var brokers = new ConfigResource(ConfigResource.Type.BROKER, "");
            var plain = new ConfigResource(ConfigResource.Type.TOPIC, "plain");
            var tuned = new ConfigResource(ConfigResource.Type.TOPIC, "tuned");
            var group = new ConfigResource(ConfigResource.Type.GROUP, "readers");
            admin.createTopics(List.of(new NewTopic("plain", 1, (short) 1), new NewTopic("tuned", 1, (short) 1).configs(
                Map.of("retention.ms", " 5000 ", "cleanup.policy", "compact, delete", "min.cleanable.dirty.ratio", "1e-4",
                       "preallocate", "TRUE", "segment.bytes", "+2097152")))).all().get();
            describe(admin, "fresh-broker", broker);
            describe(admin, "fresh-brokers", brokers);
            describe(admin, "fresh-plain", plain);
            describe(admin, "fresh-group", group);
            set(admin, brokers, "log.retention.ms", "7200000");
            set(admin, brokers, "log.segment.bytes", "4194304");
            set(admin, broker, "log.segment.bytes", "8388608");
            set(admin, broker, "log.cleaner.threads", "2");
            set(admin, group, "consumer.session.timeout.ms", "50000");
            while (!value(admin, group, "consumer.session.timeout.ms").equals("50000")) Thread.onSpinWait();
            describe(admin, "broker", broker);
            describe(admin, "brokers", brokers);
            describe(admin, "plain", plain);
            describe(admin, "tuned", tuned);
            describe(admin, "group", group);
        }
    }
}
