// Fills a running Apache Kafka broker with what the golden log directories hold: several segments, every codec, an
// idempotent producer, committed and aborted transactions, deleted records. Timestamps are fixed, so that segments roll
// on segment.ms and not on size. Arguments: bootstrap server.
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.StringSerializer;

public class FillLogs {
  static final long START = 1_700_000_000_000L;

  static Properties properties(String server, String codec) {
    Properties p = new Properties();
    p.put("bootstrap.servers", server);
    p.put("compression.type", codec);
    p.put("linger.ms", "0");
    p.put("key.serializer", StringSerializer.class.getName());
    p.put("value.serializer", StringSerializer.class.getName());
    return p;
  }

  static void fill(KafkaProducer<String, String> producer, String topic, int from, int count, int perBatch) throws Exception {
    for (int i = from; i < from + count; i++) {
      String value = ("line " + i + " of " + topic + " ").repeat(1 + i % 7);
      ProducerRecord<String, String> record =
          new ProducerRecord<>(topic, 0, START + i * 1000L, i % 5 == 0 ? null : "key" + i % 11, i % 13 == 0 ? null : value);
      if (i % 4 == 0) record.headers().add(new RecordHeader("h" + i % 3, "x".getBytes()));
      producer.send(record);
      if ((i + 1) % perBatch == 0) producer.flush();
    }
    producer.flush();
  }

  public static void main(String[] args) throws Exception {
    String server = args[0];
    Map<String, String> rolls = Map.of("segment.ms", "60000", "index.interval.bytes", "400", "retention.ms", "-1");
    try (Admin admin = Admin.create(Map.<String, Object>of("bootstrap.servers", server))) {
      admin.createTopics(List.of(
          new NewTopic("plain", Optional.of(1), Optional.empty()).configs(rolls),
          new NewTopic("codecs", Optional.of(1), Optional.empty()).configs(rolls),
          new NewTopic("cut", Optional.of(1), Optional.empty()).configs(rolls),
          new NewTopic("txn", Optional.of(1), Optional.empty()).configs(rolls),
          new NewTopic("empty", Optional.of(1), Optional.empty()))).all().get();
      try (var producer = new KafkaProducer<String, String>(properties(server, "none"))) {
        fill(producer, "plain", 0, 200, 3);
        fill(producer, "cut", 0, 150, 5);
      }
      int at = 0;
      for (String codec : List.of("gzip", "snappy", "lz4", "zstd")) {
        try (var producer = new KafkaProducer<String, String>(properties(server, codec))) {
          fill(producer, "codecs", at, 40, 10);
          at += 40;
        }
      }
      admin.deleteRecords(Map.of(new TopicPartition("cut", 0), RecordsToDelete.beforeOffset(70))).all().get();
    }
    Properties transactional = properties(server, "none");
    transactional.put("transactional.id", "golden");
    try (var producer = new KafkaProducer<String, String>(transactional)) {
      producer.initTransactions();
      for (int i = 0; i < 6; i++) {
        producer.beginTransaction();
        fill(producer, "txn", i * 10, 10, 4);
        if (i % 2 == 0) producer.commitTransaction(); else producer.abortTransaction();
      }
      if (args.length > 1) {
        producer.beginTransaction();
        fill(producer, "txn", 60, 5, 4);
        System.out.println("open transaction");
        Runtime.getRuntime().halt(0);
      }
    }
    System.out.println("filled");
  }
}
