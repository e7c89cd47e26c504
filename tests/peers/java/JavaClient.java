import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The Java client: every codec, idempotence, groups under both assignors, offsets, administration. */
public final class JavaClient {
    private static final int PARTITIONS = 3;
    private static final ObjectMapper JSON = new ObjectMapper();

    private final String address;
    private final Path out;
    private final List<Row> corpus = new ArrayList<>();
    private final List<String> seeds;
    private final Admin admin;

    private record Row(int partition, long offset, byte[] key, byte[] value, List<Header> headers, long timestamp) {}

    private JavaClient(String[] arguments) throws Exception {
        address = arguments[0];
        for (String line : Files.readAllLines(Path.of(arguments[1]))) {
            corpus.add(parse(JSON.readTree(line)));
        }
        out = Path.of(arguments[2]);
        seeds = Arrays.stream(arguments[3].split(",")).filter(codec -> !codec.isEmpty()).map(c -> "seed-" + c).toList();
        admin = Admin.create(properties());
    }

    public static void main(String[] arguments) throws Exception {
        try {
            JavaClient client = new JavaClient(arguments);
            client.codecs();
            client.groups();
            client.offsets();
            client.administration();
            client.admin.close();
        } catch (ExecutionException | AssertionError e) {
            e.printStackTrace();
            System.out.println("FAILED: " + e.getMessage());
            System.exit(1);
        }
    }

    private void codecs() throws Exception {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            step("codec " + codec);
            create("java-" + codec, PARTITIONS, Map.of());
            write("java-" + codec, corpus, Map.of("compression.type", codec));
            dump("java-" + codec, read("java-" + codec));
        }
        for (String seed : seeds) {
            step(seed);
            dump(seed, read(seed));
        }
        step("without idempotence");
        create("java-plain", PARTITIONS, Map.of());
        write("java-plain", corpus, Map.of("enable.idempotence", false, "acks", "1",
            "max.in.flight.requests.per.connection", 1));
        dump("java-plain", read("java-plain"));
    }

    private void groups() throws Exception {
        for (String assignor : List.of(RangeAssignor.class.getName(), CooperativeStickyAssignor.class.getName())) {
            step("group: commit, restart, resume with " + assignor);
            String group = "java-" + UUID.randomUUID();
            List<Row> rows = new ArrayList<>();
            for (int target : new int[] {corpus.size() / 2, corpus.size()}) {
                try (KafkaConsumer<byte[], byte[]> consumer = member(group, assignor)) {
                    until(target + " records by a group", () -> {
                        consumer.poll(Duration.ofMillis(200)).forEach(record -> rows.add(seen(record)));
                        return rows.size() >= target;
                    });
                    consumer.commitSync();
                }
            }
            dump("java-none-" + (assignor.contains("Range") ? "range" : "cooperative") + "-group", rows);
            step("group: two members share, one leaves with " + assignor);
            share(group, assignor);
        }
    }

    private void share(String group, String assignor) throws Exception {
        try (KafkaConsumer<byte[], byte[]> second = member(group, assignor)) {
            try (KafkaConsumer<byte[], byte[]> first = member(group, assignor)) {
                until("both members own partitions", () -> {
                    Set<Integer> sizes = Set.of(1, 2);
                    first.poll(Duration.ofMillis(100));
                    second.poll(Duration.ofMillis(100));
                    int a = first.assignment().size();
                    int b = second.assignment().size();
                    return a + b == PARTITIONS && sizes.contains(a) && sizes.contains(b);
                });
            }
            until("the remaining member owns all", () -> {
                second.poll(Duration.ofMillis(100));
                return second.assignment().size() == PARTITIONS;
            });
            long total = second.committed(second.assignment()).values().stream().mapToLong(o -> o.offset()).sum();
            check(total == corpus.size(), "committed offsets sum to " + total);
        }
    }

    private void offsets() throws Exception {
        step("offsetsForTimes, beginningOffsets, endOffsets, listOffsets");
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(Map.of())) {
            Row probe = corpus.get(120);
            TopicPartition partition = new TopicPartition("java-none", probe.partition());
            OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(partition, probe.timestamp())).get(partition);
            check(found.offset() == 40 && found.timestamp() == probe.timestamp(), "offsetsForTimes " + found);
            check(consumer.beginningOffsets(List.of(partition)).get(partition) == 0, "beginningOffsets");
            check(consumer.endOffsets(List.of(partition)).get(partition) == 80, "endOffsets");
            check(listed(partition, OffsetSpec.maxTimestamp()) == 79, "maxTimestamp");
            check(listed(partition, OffsetSpec.earliest()) == 0, "earliest");
            check(listed(partition, OffsetSpec.forTimestamp(probe.timestamp() + 1)) == 41, "forTimestamp");
        }
    }

    private long listed(TopicPartition partition, OffsetSpec spec) throws Exception {
        return admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get().offset();
    }

    private void administration() throws Exception {
        step("create, list, describe, alter, grow, delete");
        String topic = "java-admin";
        create(topic, 2, Map.of("retention.ms", "3600000"));
        check(admin.listTopics().names().get().contains(topic), "listTopics");
        check(partitions(topic) == 2, "describeTopics");
        check(config(topic, "retention.ms").equals("3600000"), "describeConfigs");
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(
            new AlterConfigOp(new ConfigEntry("segment.bytes", "2097152"), AlterConfigOp.OpType.SET),
            new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.APPEND),
            new AlterConfigOp(new ConfigEntry("retention.ms", ""), AlterConfigOp.OpType.DELETE)))).all().get();
        until("SET", () -> config(topic, "segment.bytes").equals("2097152"));
        check(config(topic, "cleanup.policy").equals("delete,compact"), "APPEND: " + config(topic, "cleanup.policy"));
        check(config(topic, "retention.ms").equals("604800000"), "DELETE");
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all().get();
        until("five partitions", () -> partitions(topic) == 5);
        check(admin.describeCluster().nodes().get().size() == 1, "describeCluster");
        try {
            admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
            check(false, "creating a topic twice must fail");
        } catch (ExecutionException e) {
            check(e.getCause() instanceof TopicExistsException, "creating twice: " + e.getCause());
        }
        List<Row> ten = new ArrayList<>();
        corpus.subList(1, 41).stream().filter(r -> r.partition() == 0 && r.key() != null).limit(10).forEach(ten::add);
        write(topic, ten, Map.of());
        TopicPartition partition = new TopicPartition(topic, 0);
        long low = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(4))).lowWatermarks()
            .get(partition).get().lowWatermark();
        check(low == 4 && listed(partition, OffsetSpec.earliest()) == 4, "deleteRecords: " + low);
        check(admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1).values().stream()
            .anyMatch(dir -> dir.replicaInfos().containsKey(partition)), "describeLogDirs");
        admin.deleteTopics(List.of(topic)).all().get();
        until("the deleted topic is gone", () -> !get(admin.listTopics().names()).contains(topic));
    }

    private int partitions(String topic) {
        return get(admin.describeTopics(List.of(topic)).allTopicNames()).get(topic).partitions().size();
    }

    private String config(String topic, String name) {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        return get(admin.describeConfigs(List.of(resource)).all()).get(resource).get(name).value();
    }

    private void create(String topic, int partitions, Map<String, String> configs) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(configs))).all().get();
        // Apache Kafka shows a leader a moment before the partition is served. A producer's first batch refused in that
        // moment, its second accepted (as the first of an unknown producer), ends in OUT_OF_ORDER_SEQUENCE_NUMBER.
        for (int p = 0; p < partitions; p++) {
            listed(new TopicPartition(topic, p), OffsetSpec.latest());
        }
    }

    private Properties properties() {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", address);
        return properties;
    }

    private void write(String topic, List<Row> rows, Map<String, Object> settings) throws Exception {
        Properties properties = properties();
        properties.put("max.request.size", 1048588 + 100);
        properties.put("linger.ms", 5);
        properties.putAll(settings);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        var serializer = new ByteArraySerializer();
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(properties, serializer, serializer)) {
            for (Row row : rows) {
                sent.add(producer.send(new ProducerRecord<>(topic, row.partition(), row.timestamp(), row.key(),
                    row.value(), row.headers())));
            }
            producer.flush();
            for (Future<RecordMetadata> one : sent) {
                one.get();
            }
        }
    }

    private KafkaConsumer<byte[], byte[]> consumer(Map<String, Object> settings) {
        Properties properties = properties();
        properties.put("auto.offset.reset", "earliest");
        properties.put("enable.auto.commit", false);
        properties.putAll(settings);
        return new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private KafkaConsumer<byte[], byte[]> member(String group, String assignor) {
        KafkaConsumer<byte[], byte[]> consumer = consumer(Map.of("group.id", group, "max.poll.records", 40,
            "partition.assignment.strategy", assignor, "heartbeat.interval.ms", 300, "session.timeout.ms", 10000));
        consumer.subscribe(List.of("java-none"));
        return consumer;
    }

    private List<Row> read(String topic) {
        List<Row> rows = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(Map.of())) {
            Collection<TopicPartition> partitions = new ArrayList<>();
            for (int p = 0; p < PARTITIONS; p++) {
                partitions.add(new TopicPartition(topic, p));
            }
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            until(topic + ": all records read", () -> {
                consumer.poll(Duration.ofMillis(200)).forEach(record -> rows.add(seen(record)));
                return rows.size() >= corpus.size();
            });
        }
        return rows;
    }

    private static Row seen(ConsumerRecord<byte[], byte[]> record) {
        return new Row(record.partition(), record.offset(), record.key(), record.value(),
            List.of(record.headers().toArray()), record.timestamp());
    }

    private static Row parse(JsonNode node) throws Exception {
        List<Header> headers = new ArrayList<>();
        for (JsonNode header : node.get("headers")) {
            headers.add(new RecordHeader(header.get(0).asText(), bytes(header.get(1))));
        }
        return new Row(node.get("partition").asInt(), -1, bytes(node.get("key")), bytes(node.get("value")), headers,
            node.get("timestamp").asLong());
    }

    private static byte[] bytes(JsonNode node) throws Exception {
        return node.isNull() ? null : node.binaryValue();
    }

    private void dump(String name, List<Row> rows) throws Exception {
        try (BufferedWriter writer = Files.newBufferedWriter(out.resolve(name + ".jsonl"))) {
            for (Row row : rows) {
                ObjectNode node = JSON.createObjectNode().put("partition", row.partition()).put("offset", row.offset())
                    .put("key", row.key()).put("value", row.value()).put("timestamp", row.timestamp());
                ArrayNode headers = node.putArray("headers");
                for (Header header : row.headers()) {
                    headers.addArray().add(header.key()).add(header.value());
                }
                writer.write(JSON.writeValueAsString(node) + "\n");
            }
        }
    }

    private static <T> T get(Future<T> future) {
        try {
            return future.get();
        } catch (InterruptedException | ExecutionException e) {
            throw new AssertionError(e);
        }
    }

    private static void until(String what, BooleanSupplier condition) {
        long deadline = System.nanoTime() + Duration.ofSeconds(40).toNanos();
        while (!condition.getAsBoolean()) {
            check(System.nanoTime() < deadline, what + ": not within 40 s");
        }
    }

    private static void check(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    private static void step(String what) {
        System.out.println("- " + what);
    }
}
