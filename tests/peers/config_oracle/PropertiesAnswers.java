// Prints what java.util.Properties makes of random texts full of its special characters, for the parser's test:
//   text, then key and value of each property in the order of the keys, all as hexadecimal UTF-8; or "malformed"
// The generator is seeded, so a second run prints the same.
//   java PropertiesAnswers.java > golden/properties_answers.tsv
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Properties;
import java.util.Random;
import java.util.TreeMap;

public class PropertiesAnswers {
    static String hex(byte[] bytes) {
        return HexFormat.of().formatHex(bytes);
    }

    public static void main(String[] args) throws Exception {
        String[] pieces = {"a", "b.c", "=", ":", " ", "\t", "\f", "\\", "\\\\", "\n", "\r", "\r\n", "#", "!", "\\u0041", "\\u20ac",
                           "\\u00", "\\n", "\\t", "1", "\u00e9", "\\=", "\\:", "\\ ", "\\\n", "\\\r\n  ", "x y", ""};
        Random random = new Random(20261121);
        for (int n = 0; n < 600; n++) {
            StringBuilder text = new StringBuilder();
            int length = 1 + random.nextInt(14);
            for (int i = 0; i < length; i++) text.append(pieces[random.nextInt(pieces.length)]);
            byte[] bytes = text.toString().getBytes(StandardCharsets.ISO_8859_1);
            StringBuilder line = new StringBuilder(hex(bytes));
            try {
                Properties properties = new Properties();
                properties.load(new ByteArrayInputStream(bytes));
                var sorted = new TreeMap<String, String>();
                for (String key : properties.stringPropertyNames()) sorted.put(hex(key.getBytes(StandardCharsets.UTF_8)), properties.getProperty(key));
                for (var entry : sorted.entrySet())
                    line.append('\t').append(entry.getKey()).append('\t').append(hex(entry.getValue().getBytes(StandardCharsets.UTF_8)));
            } catch (IllegalArgumentException e) {
                line.append("\tmalformed");
            }
            System.out.println(line);
        }
    }
}
