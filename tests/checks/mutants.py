"""Every patch of tests/mutants applies to the sources as they are: else its bug would be looked for by nothing until somebody
runs `make mutants`."""

import os
import subprocess

import house


def main():
    problems = []
    for path in house.files(".patch", under=("tests/mutants/",)):
        tried = subprocess.run(["git", "apply", "--check", "--recount", path], cwd=house.ROOT, capture_output=True, text=True, check=False)
        if tried.returncode != 0:
            problems.append(f"{path}: {tried.stderr.strip().split(os.linesep)[0]}")
    house.verdict(problems, "Make the change in the sources by hand, write it as the patch below the same words, and take it back.")


main()
