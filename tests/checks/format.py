"""clang-format leaves every C++ file as it is.   format.py <build dir> [--fix]"""

import shutil
import subprocess
import sys

import house
from stamps import Stamps


def main():
    program = shutil.which("clang-format-19")
    if program is None:
        sys.exit("clang-format-19 is missing; scripts/install build brings it")
    stamps = Stamps(sys.argv[1], "format")
    style = house.read(".clang-format")
    todo = {}
    for path in house.files(".h", ".cc", under=("src/", "tests/", "bench/", "tools/", "fuzz/")):
        key = Stamps.key(style, house.read(path))
        if not stamps.passed(key):
            todo[path] = key
    if "--fix" in sys.argv:
        subprocess.run([program, "-i", *todo], cwd=house.ROOT, check=True)
        return
    problems = []
    paths = list(todo)
    for start in range(0, len(paths), 40):
        part = paths[start:start + 40]
        run = subprocess.run([program, "--dry-run", "-Werror", *part], cwd=house.ROOT, capture_output=True, text=True)
        wrong = {line.split(":")[0] for line in run.stderr.split("\n") if "error:" in line}
        problems += [f"{path}: not formatted" for path in sorted(wrong)]
        if run.returncode == 0 or wrong:
            for path in part:
                if path not in wrong:
                    stamps.remember(todo[path])
        else:
            problems.append(run.stderr)
    house.verdict(problems, "Run `make format`.")


main()
