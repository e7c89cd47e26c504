// Asks a running Apache Kafka broker for changes of configs, each on its own, and prints every request with the answer:
//   resource, name, operation, value, error, message
// Cases come from standard input in the same form without the last two; "<null>" stands for a null value. Changes that are
// accepted stay.
//   java -cp '<jars>/*' AlterAnswers.java localhost:22000 < alter_cases.tsv > golden/alter_answers.tsv
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.protocol.Errors;

public class AlterAnswers {
    static ConfigResource resource(String text) {
        String[] parts = text.split(":", 2);
        return new ConfigResource(ConfigResource.Type.valueOf(parts[0].toUpperCase()), parts[1]);
    }

    public static void main(String[] args) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", args[0]);
        try (Admin admin = Admin.create(properties);
             BufferedReader in = new BufferedReader(new InputStreamReader(System.in))) {
            for (String line; (line = in.readLine()) != null; ) {
                String[] f = line.split("\t", -1);
                String value = f[3].equals("<null>") ? null : f[3];
                var op = new AlterConfigOp(new ConfigEntry(f[1], value), AlterConfigOp.OpType.valueOf(f[2]));
                String answer = "NONE\t";
                try {
                    admin.incrementalAlterConfigs(Map.of(resource(f[0]), List.of(op))).all().get();
                } catch (ExecutionException e) {
                    answer = Errors.forException(e.getCause()) + "\t" + String.valueOf(e.getCause().getMessage()).replace("\n", "\\n");
                }
                System.out.println(line + "\t" + answer);
            }
        }
    }
}
