"""What the house checks share: the list of files, C++ text without comments and strings, allow-lists, the verdict."""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def files(*suffixes, under=("",)):
    """Paths of the project's files, relative to ROOT: tracked and new ones, not what is ignored or built."""
    try:
        out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True,
                             check=True).stdout.split("\n")
    except (OSError, subprocess.CalledProcessError):
        out = []
        for folder, folders, names in os.walk(ROOT):
            folders[:] = [f for f in folders if f not in ("build", ".git", "node_modules", "target")]
            out += [os.path.relpath(os.path.join(folder, n), ROOT) for n in names]
    chosen = [f for f in out if f.endswith(suffixes or ("",)) and f.startswith(tuple(under)) and f]
    return sorted(f for f in chosen if os.path.isfile(os.path.join(ROOT, f)))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as f:
        return f.read()


_SPACE = re.compile(r"[^\n]")
_SKIPPED = re.compile(
    r'R"(?P<mark>[^(\s]*)\((?:.|\n)*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'"
    r"|//[^\n]*"
    r"|/\*(?:.|\n)*?\*/")


def code_only(text):
    """C++ text whose comments, strings and character literals are blank; lines keep their numbers."""
    return _SKIPPED.sub(lambda m: _SPACE.sub(" ", m.group(0)), text)


def line_of(text, at):
    return text.count("\n", 0, at) + 1


class AllowList:
    """Lines "<path> <rule> <reason>": exceptions with their reason. One that is no longer needed fails, so the list shrinks."""

    def __init__(self, path):
        self.path = path
        self.entries = {}
        self.used = set()
        for number, line in enumerate(read(path).split("\n"), 1):
            if not line.strip() or line.startswith("#"):
                continue
            parts = line.split(None, 2)
            if len(parts) < 3:
                sys.exit(f"{path}:{number}: write: path rule reason")
            self.entries[(parts[0], parts[1])] = number

    def allows(self, path, rule):
        if (path, rule) in self.entries:
            self.used.add((path, rule))
            return True
        return False

    def unused(self):
        return [f"{self.path}:{n}: {p} no longer needs '{r}'; delete the line"
                for (p, r), n in self.entries.items() if (p, r) not in self.used]


def verdict(problems, rule):
    for problem in problems:
        print(problem)
    if problems:
        sys.exit(f"{len(problems)} problem(s). {rule}")
