// Prints Apache Kafka's own table of broker, topic or group options, one per line, fields separated by tabs:
//   name, type, default, validator, importance, update mode, synonyms, internal
// The classes are the jar's; java.util.Properties-style escapes keep tabs and newlines out of the fields.
//   java -cp '<jars>/*' ConfigTable.java broker|topic|group
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.types.Password;
import org.apache.kafka.coordinator.group.GroupConfig;
import org.apache.kafka.server.config.AbstractKafkaConfig;
import org.apache.kafka.server.config.ConfigSynonym;
import org.apache.kafka.server.config.DynamicBrokerConfig;
import org.apache.kafka.server.config.ServerTopicConfigSynonyms;
import org.apache.kafka.storage.internals.log.LogConfig;

public class ConfigTable {
    static String escape(String text) {
        return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n");
    }

    static String defaultOf(ConfigDef.ConfigKey key) {
        if (key.defaultValue == ConfigDef.NO_DEFAULT_VALUE) return "<required>";
        if (key.defaultValue == null) return "<null>";
        if (key.defaultValue instanceof Password) return ((Password) key.defaultValue).value();
        return ConfigDef.convertToString(key.defaultValue, key.type);
    }

    static String validatorOf(ConfigDef.ConfigKey key) {
        if (key.validator == null) return "";
        String text = key.validator.toString();
        int lambda = text.indexOf("$$Lambda");
        return lambda < 0 ? text : text.substring(text.lastIndexOf('.', lambda) + 1, lambda);
    }

    public static void main(String[] args) {
        Map<String, ConfigDef.ConfigKey> keys;
        switch (args[0]) {
            case "broker": keys = AbstractKafkaConfig.CONFIG_DEF.configKeys(); break;
            case "topic": keys = LogConfig.configKeys(); break;
            default: keys = GroupConfig.CONFIG_DEF.configKeys();
        }
        Map<String, String> modes = DynamicBrokerConfig.dynamicConfigUpdateModes();
        for (ConfigDef.ConfigKey key : new TreeMap<>(keys).values()) {
            String synonyms = "";
            if (args[0].equals("topic")) {
                List<ConfigSynonym> list = ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS.get(key.name);
                if (list != null) synonyms = list.stream().map(ConfigSynonym::name).collect(Collectors.joining(","));
            } else if (args[0].equals("group")) {
                synonyms = GroupConfig.brokerSynonym(key.name).orElse("");
            } else {
                List<String> list = DynamicBrokerConfig.brokerConfigSynonyms(key.name, true);
                if (list.size() > 1) synonyms = String.join(",", list);
            }
            System.out.println(String.join("\t", key.name, key.type.toString(), escape(defaultOf(key)),
                escape(validatorOf(key)), key.importance.toString().toLowerCase(),
                args[0].equals("broker") ? modes.getOrDefault(key.name, "read-only") : "", synonyms,
                key.internalConfig ? "internal" : ""));
        }
    }
}
