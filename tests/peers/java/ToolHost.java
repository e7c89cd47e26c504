import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.util.Arrays;
import java.util.Base64;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs the main methods of Apache Kafka's command line tools one after the other in one process, since starting a JVM
 * costs more than most of them do. A request is a line of base64 fields: main class, standard input, arguments. The
 * answer is a line: exit code, standard output, standard error.
 */
public final class ToolHost {
    /** Leaves a tool where it asks to exit. Some tools catch it and ask again, so that the first status counts. */
    private static final class Exited extends RuntimeException {
        Exited(int status) {
            super("exit " + status, null, false, false);
        }
    }

    private static Integer status;

    public static void main(String[] unused) throws Exception {
        PrintStream answers = System.out;
        PrintStream errors = System.err;
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in));
        Exit.setExitProcedure((status, message) -> leave(status));
        Exit.setHaltProcedure((status, message) -> leave(status));
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            String[] fields = Arrays.stream(line.split(" ", -1)).map(ToolHost::decode).toArray(String[]::new);
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            ByteArrayOutputStream err = new ByteArrayOutputStream();
            System.setOut(new PrintStream(out, true));
            System.setErr(new PrintStream(err, true));
            System.setIn(new ByteArrayInputStream(Base64.getDecoder().decode(line.split(" ", -1)[1])));
            run(fields[0], Arrays.copyOfRange(fields, 2, fields.length));
            System.out.flush();
            System.setErr(errors);
            answers.println(status + " " + encode(out) + " " + encode(err));
            answers.flush();
        }
        Runtime.getRuntime().halt(0);
    }

    private static void run(String mainClass, String[] arguments) throws Exception {
        status = null;
        try {
            Class.forName(mainClass).getMethod("main", String[].class).invoke(null, (Object) arguments);
        } catch (InvocationTargetException e) {
            if (status == null) {
                e.getCause().printStackTrace();
                status = 1;
            }
        }
        if (status == null) {
            status = 0;
        }
    }

    private static void leave(int wanted) {
        if (status == null) {
            status = wanted;
        }
        throw new Exited(wanted);
    }

    private static String decode(String field) {
        return new String(Base64.getDecoder().decode(field));
    }

    private static String encode(ByteArrayOutputStream bytes) {
        return Base64.getEncoder().encodeToString(bytes.toByteArray());
    }
}
