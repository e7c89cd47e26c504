"""Every name given to Shard::maybe() or Shard::mark() stands in src/io/sim/branches.cc, sorted, and every name there is used:
else a runner could not tell which rare branches no seed reached."""

import re

import house

LIST = "src/io/sim/branches.cc"
CALL = re.compile(r"(?:\.|->)(?:maybe|mark)\(\s*\"([^\"]*)\"")
NAME = re.compile(r"^[a-z]+(\.[a-z_]+)+$")


def main():
    known = re.findall(r'^\s*"([^"]+)",', house.read(LIST), re.M)
    used = {}
    for path in house.files(".h", ".cc", under=("src/",)):
        if not path.endswith("_test.cc"):
            for match in CALL.finditer(house.read(path)):
                used.setdefault(match.group(1), path)
    problems = [f"{path}: {name} is not in {LIST}" for name, path in sorted(used.items()) if name not in known]
    problems += [f"{LIST}: {name} is used nowhere" for name in known if name not in used]
    problems += [f"{LIST}: {name} is no name" for name in known if not NAME.match(name)]
    if known != sorted(set(known)):
        problems.append(f"{LIST}: the names are not sorted")
    house.verdict(problems, "Name it in the list; what the name tells first is who passes it.")


main()
