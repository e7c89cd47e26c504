"""Brokers as processes. KafkaBroker is the reference, SteleBroker the subject; the runners know only the base class."""
import base64
import os
import pathlib
import signal
import subprocess
import time
import uuid

from . import ports, wire

ROOT = pathlib.Path(__file__).resolve().parents[3]
CACHE = pathlib.Path(os.environ.get("STELE_CACHE", pathlib.Path.home() / ".cache" / "stele"))
KAFKA_JARS = CACHE / "kafka-4.3.1"
JAVA_FLAGS = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]


class BrokerError(Exception):
    pass


def wait_for(what, condition, seconds):
    """Polls until condition() is truthy and returns that value; past the deadline raises with the last error."""
    deadline, error = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        try:
            if value := condition():
                return value
        except (OSError, wire.WireError) as caught:
            error = caught
        time.sleep(0.02)  # the interval of a poll with a deadline, not a guess at how long something takes
    raise BrokerError(f"{what}: not within {seconds} s" + (f" (last: {error})" if error else ""))


def new_cluster_id():
    """Random; like Apache's own, none that begins with a dash, which a command line takes for an option."""
    text = "-"
    while text.startswith("-"):
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
    return text


class Layout:
    """Where a broker lives and how its directories are made: shared by every broker that takes a directory over."""

    def __init__(self, directory, log_dirs=1, standalone=False, release=None, settings=None):
        self.directory = pathlib.Path(directory)
        self.log_dirs = [self.directory / f"data{i}" for i in range(log_dirs)]
        self.standalone, self.release = standalone, release
        self.port, self.controller_port = ports.free_port(), ports.free_port()
        self.settings = settings or {}
        self.cluster_id = new_cluster_id()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def properties(self):
        lines = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": ",".join(map(str, self.log_dirs)),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "group.initial.rebalance.delay.ms": "0",
            "stele.http.port": "-1",  # which Apache Kafka ignores
        }
        if self.standalone:
            lines["controller.quorum.bootstrap.servers"] = f"127.0.0.1:{self.controller_port}"
        else:
            lines["controller.quorum.voters"] = f"1@127.0.0.1:{self.controller_port}"
        return lines | self.settings

    def write_properties(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / "server.properties"
        path.write_text("".join(f"{k}={v}\n" for k, v in self.properties().items()))
        return path

    @property
    def formatted(self):
        return (self.log_dirs[0] / "meta.properties").exists()


class Broker:
    """A broker process on a layout. start() formats the log dirs if they are new and returns when it serves."""
    name = "?"
    start_seconds = 60

    def __init__(self, layout):
        self.layout, self._process = layout, None
        self.log = layout.directory / f"{self.name}.log"

    @property
    def address(self):
        return self.layout.address

    def format(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def environment(self):
        return None

    def launch(self):
        """Starts the process, and does not wait for it to serve."""
        self.layout.write_properties()
        if not self.layout.formatted:
            self.format()
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                             cwd=self.layout.directory, env=self.environment())
        return self

    def start(self):
        self.launch()
        try:
            wait_for(f"{self.name} serves", self._serves, self.start_seconds)
        except BrokerError:
            self.kill()
            raise BrokerError(f"{self.name} did not come up; the end of its log:\n{self.tail()}") from None
        return self

    def _serves(self):
        if self._process.poll() is not None:
            raise BrokerError(f"{self.name} exited with {self._process.returncode}")
        brokers, _ = wire.metadata(self.address, [])
        return len(brokers) == 1

    def wait_for_leaders(self, seconds=15):
        """Returns once every partition of every topic has a leader that answers for it."""
        def led():
            _, topics = wire.metadata(self.address)
            states = [state for error, partitions in topics.values() for state in [(error, 0), *partitions.values()]]
            return (all(error == 0 and leader >= 0 for error, leader in states) and
                    all(wire.served(self.address, name, len(parts)) for name, (_, parts) in topics.items()))
        wait_for(f"a leader for every partition ({self.name})", led, seconds)

    def wait_exit(self, seconds):
        """Returns the exit code when the process has ended; raises TimeoutError when it still runs after that time."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError from None

    def stop(self, seconds=60):
        """A clean stop by SIGTERM; raises if the process has to be killed."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise BrokerError(f"{self.name} did not stop within {seconds} s of SIGTERM:\n{self.tail()}") from None

    def kill(self):
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    @property
    def running(self):
        return self._process is not None and self._process.poll() is None

    def tail(self, count=25):
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def run_once(self, command, what):
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise BrokerError(f"{what} failed with {done.returncode}:\n{done.stdout}{done.stderr}")


class KafkaBroker(Broker):
    name = "kafka"

    def format(self):
        command = ["java", *JAVA_FLAGS, "-Xmx256m", "-cp", f"{KAFKA_JARS}/*", "kafka.tools.StorageTool", "format",
                   "-t", self.layout.cluster_id, "-c", str(self.layout.directory / "server.properties")]
        if self.layout.standalone:
            command.append("--standalone")
        if self.layout.release:
            command += ["--release-version", self.layout.release]
        self.run_once(command, "StorageTool format")

    def command(self):
        return ["java", *JAVA_FLAGS, "-Xms128m", "-Xmx512m", "-Dorg.slf4j.simpleLogger.showDateTime=true",
                "-cp", f"{KAFKA_JARS}/*", "kafka.Kafka", "server.properties"]


class SteleBroker(Broker):
    name = "stele"
    start_seconds = 20

    def __init__(self, layout, program=None):
        super().__init__(layout)
        self._program = str(program or os.environ.get("STELE_PROGRAM", ROOT / "build" / "release" / "stele"))

    def format(self):
        command = [self._program, "format", "--config", str(self.layout.directory / "server.properties"),
                   "--cluster-id", self.layout.cluster_id]
        if self.layout.standalone:
            command.append("--standalone")
        if self.layout.release:
            command += ["--release-version", self.layout.release]
        self.run_once(command, "stele format")

    def command(self):
        return [self._program, "broker", "--config", "server.properties"]


BROKERS = {"kafka": KafkaBroker, "stele": SteleBroker}
