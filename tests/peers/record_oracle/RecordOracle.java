import java.io.BufferedReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;

/** golden <file>: batches that Kafka wrote. validation <file>: what its validation answers. check <file>: reads ours. */
public final class RecordOracle {
    private RecordOracle() {}

    public static void main(String[] args) throws Exception {
        Path file = Path.of(args[1]);
        switch (args[0]) {
            case "golden" -> {
                try (PrintStream out = new PrintStream(Files.newOutputStream(file), false, StandardCharsets.UTF_8)) {
                    new GoldenBatches(out).write();
                }
            }
            case "validation" -> {
                try (PrintStream out = new PrintStream(Files.newOutputStream(file), false, StandardCharsets.UTF_8)) {
                    new ValidationTable(out).write();
                }
            }
            case "check" -> System.exit(check(file) ? 0 : 1);
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    /** Lines of name, bytes in hex, and what the writer means to have written. */
    private static boolean check(Path file) throws Exception {
        int lines = 0;
        int wrong = 0;
        try (BufferedReader reader = Files.newBufferedReader(file)) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                String[] fields = line.split("\t", -1);
                String read;
                try {
                    read = Dump.of(HexFormat.of().parseHex(fields[1]));
                } catch (RuntimeException e) {
                    read = e.toString();
                }
                lines++;
                if (!read.equals(fields[2])) {
                    wrong++;
                    System.out.println(fields[0] + "\n  expected " + fields[2] + "\n  Kafka read " + read);
                }
            }
        }
        System.out.println(lines + " batches, " + wrong + " differ");
        return wrong == 0 && lines > 0;
    }
}
