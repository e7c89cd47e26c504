"""A file includes only from its own layer and from those below it. tools/layers.txt holds the order, lowest first."""

import re

import house

LAYERS = house.read("tools/layers.txt").split()
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)
# What io/ alone may name in a header, so that code above links to the real world or the simulated one.
FOREIGN = re.compile(r"^(boost/(asio|beast)|spdlog/|nlohmann/)")


def main():
    problems = []
    for path in house.files(".h", ".cc", under=("src/",)):
        layer = path.split("/")[1]
        if layer not in LAYERS:
            problems.append(f"{path}: the layer '{layer}' is not in tools/layers.txt")
            continue
        text = house.read(path)
        for match in INCLUDE.finditer(text):
            quote, name = match.groups()
            where = f"{path}:{house.line_of(text, match.start(2))}"
            top = name.split("/")[0]
            if quote == '"' and top not in LAYERS:
                problems.append(f'{where}: "{name}" must be named by its path from src/')
            elif quote == '"' and LAYERS.index(top) > LAYERS.index(layer):
                problems.append(f"{where}: {layer}/ includes {name} from above it")
            elif FOREIGN.match(name) and (path.endswith(".h") or "asio" in name or "beast" in name) and layer != "io":
                problems.append(f"{where}: <{name}> belongs into io/ (nlohmann and spdlog also into a .cc that needs them)")
    house.verdict(problems, "DESIGN section 3: an upward include ties the parts into a knot.")


main()
