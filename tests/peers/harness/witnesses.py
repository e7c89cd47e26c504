"""The table of witnesses: how each is started, what it needs, and what its client cannot give."""
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys

from .broker import CACHE, JAVA_FLAGS, KAFKA_JARS
from .corpus import CODECS

HERE = pathlib.Path(__file__).resolve().parents[1]
VENV = CACHE / "venv" / "bin" / "python"
INSTALL = "scripts/install peers"


@dataclasses.dataclass
class Witness:
    """`lacks`: what its client cannot show, see corpus.differences(); `loses`: what it cannot write. `least_dumps`: fewer topics read back than this is a failure."""
    name: str
    program: list
    lacks: frozenset = frozenset()
    loses: frozenset = frozenset()
    least_dumps: int = 0
    needs: tuple = ()
    folder: pathlib.Path = HERE

    def missing(self):
        """Why it cannot run here, or None."""
        for need in self.needs:
            if isinstance(need, pathlib.Path):
                if not need.exists():
                    return f"no {need.name}; {INSTALL}"
            elif shutil.which(need) is None:
                return f"no {need}; {INSTALL}"
        return None

    def build(self):
        """Compiles it, if that is its way; quick when nothing changed."""

    def command(self):
        return [str(part) for part in self.program]

    def environment(self):
        return os.environ.copy()


class GoWitness(Witness):
    def build(self):
        compile_into_cache([go(), "build", "-o", self.program[0], f"./{self.program[0].name}"], HERE / "go",
                           self.environment())

    def missing(self):
        return None if go() else f"no go; {INSTALL}"

    def environment(self):
        return os.environ | {"GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": os.environ.get("GOTOOLCHAIN", "auto")}


def go():
    """The newest Go at hand: what scripts/install put into the cache, or the one on the path."""
    installed = CACHE / "go" / "bin" / "go"
    return str(installed) if installed.exists() else shutil.which("go")


class RustWitness(Witness):
    def build(self):
        compile_into_cache(["cargo", "build", "--quiet", "--manifest-path", HERE / "rust" / "Cargo.toml"], HERE / "rust",
                           self.environment())

    def environment(self):
        return os.environ | {"CARGO_TARGET_DIR": str(CACHE / "rust")}


class NodeWitness(Witness):
    def environment(self):
        return os.environ | {"NODE_PATH": str(CACHE / "js" / "node_modules")}


def compile_into_cache(command, folder, environment):
    subprocess.run(list(map(str, command)), cwd=folder, env=environment, stdout=subprocess.PIPE,
                   stderr=subprocess.STDOUT, text=True, check=True, timeout=900)


def python(name, file, **settings):
    return Witness(name, [VENV, HERE / "witnesses" / file], needs=(VENV, *settings.pop("needs", ())), **settings)


JAVA = ("java", "javac", KAFKA_JARS)
ALL = len(CODECS)
NO_NULL_HEADER = frozenset({"null_header"})

SEED = python("seed", "seed.py", least_dumps=ALL)
CROSS_READ = python("cross-read", "cross_read.py")

WITNESSES = [
    Witness("java-client", ["java", *JAVA_FLAGS, "-Xmx384m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp",
                            f"{KAFKA_JARS}/*", HERE / "java" / "JavaClient.java"], needs=JAVA, least_dumps=2 * ALL + 3),
    Witness("java-tools", [sys.executable, HERE / "witnesses" / "java_tools.py"], needs=JAVA),
    python("confluent", "confluent_client.py", least_dumps=2 * ALL + 4),
    # kafka-python writes a null header value as an empty one.
    python("kafka-python", "kafka_python_client.py", least_dumps=2 * ALL + 2, lacks=NO_NULL_HEADER,
           loses=NO_NULL_HEADER),
    python("aiokafka", "aiokafka_client.py", least_dumps=2 * ALL + 2),
    Witness("kcat", [sys.executable, HERE / "witnesses" / "kcat_client.py"], needs=("kcat",)),
    NodeWitness("kafkajs", ["node", HERE / "js" / "kafkajs.js"], needs=("node", CACHE / "js" / "node_modules"),
                lacks=NO_NULL_HEADER, loses=NO_NULL_HEADER, least_dumps=2 * ALL + 2),
    GoWitness("franz-go", [CACHE / "bin" / "franz"], least_dumps=2 * ALL + 3),
    GoWitness("sarama", [CACHE / "bin" / "sarama"], least_dumps=2 * ALL + 2),
    # kafka-go shows an empty key, value or header as nil.
    GoWitness("kafka-go", [CACHE / "bin" / "segmentio"], least_dumps=2 * ALL + 1,
              lacks=NO_NULL_HEADER | {"null_key", "null_value"}),
    # Headers are a map in rskafka, and their values are never null.
    RustWitness("rskafka", [CACHE / "rust" / "debug" / "rskafka-witness"], needs=("cargo",), least_dumps=ALL,
                lacks=NO_NULL_HEADER | {"header_order"}, loses=NO_NULL_HEADER | {"header_order"}),
    python("tutorials", "tutorials.py", needs=JAVA),
]
