"""Apache Kafka, Stele and the two floors as processes, each on a data directory of its own."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/peers"))
from harness import broker as peers, ports, wire  # noqa: E402,F401

BUILD = pathlib.Path(os.environ.get("STELE_BUILD", ROOT / "build/release"))
LOAD = BUILD / "stele_load"
# As bin/kafka-server-start.sh and bin/kafka-run-class.sh of 4.3.1 set them.
HEAP = ["-Xmx1G", "-Xms1G"]
PERFORMANCE = ["-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
               "-XX:+ExplicitGCInvokesConcurrent", "-XX:MaxInlineLevel=15", "-Djava.awt.headless=true"]
# Topics of earlier rounds shall leave the disk and the page cache before the next round; nothing that is measured looks at it.
DELETE_SOON = {"log.segment.delete.delay.ms": "100"}


class Kafka(peers.KafkaBroker):
    """With Apache's own default heap and collector; the harness of the tests starts it smaller."""

    def command(self):
        return ["java", *HEAP, *PERFORMANCE, f"-Xlog:gc*:file={self.layout.directory}/gc.log:time,tags:filecount=10,filesize=100M",
                "-Dorg.slf4j.simpleLogger.showDateTime=true", "-cp", f"{peers.KAFKA_JARS}/*", "kafka.Kafka", "server.properties"]


class System:
    """A process under load. `bare`: it answers Produce and nothing else, and is started anew for each round."""
    bare = False

    def __init__(self, name, directory):
        self.name = name
        self.directory = pathlib.Path(directory)

    def resident(self):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def data_bytes(self):
        return sum(f.stat().st_blocks * 512 for f in self.directory.rglob("*.log") if f.is_file())

    def load(self, *arguments, timeout=600):
        """Runs stele_load and returns what it printed, as a dict. A load that fails ends the run."""
        return finish_load(self.begin_load(*arguments), self.name, timeout)

    def begin_load(self, kind, *arguments):
        command = [str(LOAD), kind, "--address", self.address, "--pid", str(self.pid), *map(str, arguments)]
        if self.bare and kind == "produce":
            command.append("--bare")
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


class LoadError(Exception):
    pass


def finish_load(process, name, timeout=600):
    try:
        out, error = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise LoadError(f"{name}: a load did not end within {timeout} s") from None
    if process.returncode:
        raise LoadError(f"{name}: {' '.join(process.args[1:])}\n{error.strip()}")
    return json.loads(out or "null")


class BrokerSystem(System):
    def __init__(self, name, directory, settings=None):
        super().__init__(name, directory)
        kind = Kafka if name.startswith("kafka") else peers.SteleBroker
        layout = peers.Layout(self.directory, settings=DELETE_SOON | (settings or {}))
        self.broker = kind(layout) if kind is Kafka else kind(layout, BUILD / "stele")
        self.address = layout.address

    @property
    def pid(self):
        return self.broker._process.pid  # the harness keeps it to itself

    def start(self):
        self.broker.start()
        return self

    def stop(self):
        self.broker.stop(300)

    def kill(self):
        self.broker.kill()

    def begin_round(self):
        pass

    def end_round(self, topic=None):
        """Gives back what the round has written: disk, and pages that would otherwise be written back during the next one."""
        if topic:
            self.load("delete", "--topic", topic)
            deadline = time.monotonic() + 20
            while any(p.is_dir() for p in self.directory.glob(f"data*/{topic}-*")) and time.monotonic() < deadline:
                time.sleep(0.05)
        os.sync()

    def remove(self):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


class Floor(System):
    bare = True

    def __init__(self, name, directory):
        super().__init__(name, directory)
        self.program = BUILD / name.replace("-", "_")
        self._process = None

    @property
    def pid(self):
        return self._process.pid

    def start(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        return self

    def begin_round(self):
        port = ports.free_port()
        self.address = f"127.0.0.1:{port}"
        self._process = subprocess.Popen([str(self.program), str(port), str(self.directory / "floor.log")])
        peers.wait_for(self.name, self._listens, 10)

    def _listens(self):
        with socket.create_connection(self.address.rsplit(":", 1)):
            return True

    def end_round(self, topic=None):
        self._process.kill()
        self._process.wait()
        (self.directory / "floor.log").unlink(missing_ok=True)
        os.sync()

    def stop(self):
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    kill = stop

    def remove(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def make(name, directory, settings=None):
    return Floor(name, directory) if name.startswith("floor") else BrokerSystem(name, directory, settings)


def touch_memory():
    """The first touch of a page of a fresh virtual machine costs several times its later use, and would fall on whoever comes first."""
    code = ("import re\nfree = int(re.search(r'MemFree:\\s+(\\d+)', open('/proc/meminfo').read())[1]) * 1024 - (1 << 30)\n"
            "kept = []\nwhile free > 0:\n    kept.append(b'x' * (128 << 20))\n    free -= 128 << 20\n")
    subprocess.run([sys.executable, "-c", code], check=False)


def machine():
    """What the figures belong to."""
    model = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "?")
    memory = int(next(line.split()[1] for line in pathlib.Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal")))
    java = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr.splitlines()[:1]
    revision = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    return {"processor": model, "cores": os.cpu_count(), "memory_gib": round(memory / 2**20, 1), "kernel": os.uname().release,
            "java": java[0] if java else "none", "revision": revision, "date": time.strftime("%Y-%m-%d")}
