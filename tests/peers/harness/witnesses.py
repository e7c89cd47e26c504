"""The table of witnesses: how each is started, what it needs, and what its client cannot give."""
import dataclasses
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
    """`lacks`: see corpus.differences(). `least_dumps`: fewer topics read back than this is a failure."""
    name: str
    program: list
    lacks: frozenset = frozenset()
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
        pass

    def command(self):
        return [str(part) for part in self.program]


def python(name, file, **settings):
    return Witness(name, [VENV, HERE / "witnesses" / file], needs=(VENV, *settings.pop("needs", ())), **settings)


JAVA = ("java", "javac", KAFKA_JARS)
ALL = len(CODECS)

SEED = python("seed", "seed.py", least_dumps=ALL)
CROSS_READ = python("cross-read", "cross_read.py", lacks=frozenset({"null_header"}))

WITNESSES = [
    Witness("java-tools", [sys.executable, HERE / "witnesses" / "java_tools.py"], needs=JAVA),
    python("confluent", "confluent_client.py", least_dumps=2 * ALL + 4),
    # kafka-python and aiokafka write a null header value as an empty one.
    python("kafka-python", "kafka_python_client.py", least_dumps=2 * ALL + 2, lacks=frozenset({"null_header"})),
    python("aiokafka", "aiokafka_client.py", least_dumps=2 * ALL + 2),
    Witness("kcat", [sys.executable, HERE / "witnesses" / "kcat_client.py"], needs=("kcat",)),
    python("tutorials", "tutorials.py", needs=JAVA),
]
