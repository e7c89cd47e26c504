import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * An idempotent producer with the defaults of the Java client that outlives its brokers: LongProducer address topic partitions.
 * Writes 0, 1, 2, … to each partition in turn and prints "acknowledged N" twice a second, until a line comes in; then "done SENT
 * ACKNOWLEDGED FAILED". Only its patience is not the default: a change of broker takes longer than two minutes on a busy machine.
 */
public final class LongProducer {
    private static final int PER_SECOND = 2000;

    public static void main(String[] arguments) throws Exception {
        int partitions = Integer.parseInt(arguments[2]);
        AtomicLong acknowledged = new AtomicLong();
        AtomicLong failed = new AtomicLong();
        Thread ending = ends();
        long sent = 0;
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", arguments[0], "delivery.timeout.ms", 600_000, "max.block.ms", 600_000,
                    "request.timeout.ms", 10_000),
                new ByteArraySerializer(), new ByteArraySerializer())) {
            long told = System.nanoTime();
            while (ending.isAlive()) {
                byte[] value = Long.toString(sent / partitions).getBytes(StandardCharsets.UTF_8);
                producer.send(new ProducerRecord<>(arguments[1], (int) (sent % partitions), null, value), (where, error) -> {
                    if (error == null) {
                        acknowledged.incrementAndGet();
                    } else if (failed.incrementAndGet() == 1) {
                        System.out.println("failed: " + error);
                    }
                });
                if (++sent % (PER_SECOND / 100) == 0) Thread.sleep(10);
                if (System.nanoTime() - told > 500_000_000) {
                    told = System.nanoTime();
                    System.out.println("acknowledged " + acknowledged);
                }
            }
            producer.flush();
        }
        System.out.println("done " + sent + " " + acknowledged + " " + failed);
    }

    private static Thread ends() {
        Thread thread = new Thread(() -> {
            try {
                new BufferedReader(new InputStreamReader(System.in)).readLine();
            } catch (java.io.IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });
        thread.setDaemon(true);
        thread.start();
        return thread;
    }
}
