"""Apache Kafka's command line tools, run in one JVM (java/ToolHost.java)."""
import base64
import pathlib
import subprocess

from .broker import JAVA_FLAGS, KAFKA_JARS

HOST = pathlib.Path(__file__).resolve().parents[1] / "java" / "ToolHost.java"

MAIN_CLASSES = {
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-dump-log": "org.apache.kafka.tools.DumpLogSegments",
    "kafka-producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "kafka-consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
}


class ToolError(Exception):
    pass


class Tools:
    def __init__(self):
        self._process = subprocess.Popen(
            ["java", *JAVA_FLAGS, "-Xmx384m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
             "-cp", f"{KAFKA_JARS}/*", str(HOST)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(30)

    def run(self, tool, *arguments, feed=b"", status=0):
        """Runs one tool and returns its standard output and error as one text; another exit code raises."""
        code, out, err = self._call(MAIN_CLASSES[tool], feed, arguments)
        text = out + err
        if code != status:
            raise ToolError(f"{tool} {' '.join(arguments)}: exit {code}: {text[-1500:]}")
        return text

    def output(self, tool, *arguments, feed=b""):
        """Standard output alone."""
        code, out, err = self._call(MAIN_CLASSES[tool], feed, arguments)
        if code:
            raise ToolError(f"{tool} {' '.join(arguments)}: exit {code}: {out[-500:]}{err[-1000:]}")
        return out

    def _call(self, main_class, feed, arguments):
        fields = [main_class.encode(), feed, *(a.encode() for a in arguments)]
        self._process.stdin.write(" ".join(base64.b64encode(f).decode() for f in fields) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().rstrip("\n").split(" ")
        if len(answer) != 3:
            raise ToolError(f"the JVM of the tools died during {main_class}")
        return int(answer[0]), *(base64.b64decode(part).decode(errors="replace") for part in answer[1:])
