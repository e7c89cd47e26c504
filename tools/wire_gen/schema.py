"""Reads the schema files of src/wire/schemas; src/wire/README.md describes their language."""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

PRIMITIVES = {
    "bool": ("bool", 1), "int8": ("int8_t", 1), "int16": ("int16_t", 2), "uint16": ("uint16_t", 2),
    "int32": ("int32_t", 4), "uint32": ("uint32_t", 4), "int64": ("int64_t", 8), "float64": ("double", 8),
    "uuid": ("base::Uuid", 16), "string": ("std::string_view", None), "bytes": ("base::Bytes", None),
    "records": ("base::Bytes", None),
}
KEYWORDS = {"namespace", "operator", "default", "delete", "new", "class", "struct", "private", "public", "protected",
            "template", "this", "union", "register", "export", "switch", "case", "enum", "signed", "unsigned"}


class SchemaError(Exception):
    pass


@dataclass
class Versions:
    low: int
    high: int

    def __contains__(self, version):
        return self.low <= version <= self.high


@dataclass
class Field:
    name: str
    type: str            # a primitive or the name of a struct
    array: bool
    versions: Versions
    tag: int | None = None
    nullable: Versions | None = None
    plain: bool = False      # in the old encoding even in flexible versions
    default: str | None = None
    ignorable: bool = False
    struct: "Struct | None" = None

    @property
    def cpp_name(self):
        return self.name + "_" if self.name in KEYWORDS else self.name


@dataclass
class Struct:
    name: str
    full: str            # qualified by the message
    fields: list = field(default_factory=list)
    versions: Versions | None = None  # where some field refers to it


@dataclass
class Message:
    name: str
    kind: str            # request, response, record, remote-record, data, <coordinator>-key, <coordinator>-value
    id: int | None
    versions: Versions
    flexible: int | None
    listeners: list
    unstable: bool
    root: Struct
    structs: list        # inner ones, each after those it uses

    @property
    def keeps_unknown_tags(self):
        return self.kind == "record"

    @property
    def file(self):
        return snake(self.name)


def snake(name):
    name = name.replace("KRaft", "Kraft")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def parse_versions(text, high):
    found = re.fullmatch(r"(\d+)(\+|-(\d+))?", text)
    if not found:
        raise SchemaError(f"bad versions {text!r}")
    low = int(found[1])
    if found[2] is None:
        return Versions(low, low)
    return Versions(low, high if found[2] == "+" else int(found[3]))


def parse_field(line, high):
    words = shlex.split(line, posix=False)
    name, type_text, versions = words[:3]
    array = type_text.startswith("[")
    result = Field(name, type_text.strip("[]"), array, parse_versions(versions, high))
    rest = iter(words[3:])
    for word in rest:
        if word == "tag":
            result.tag = int(next(rest))
        elif word == "nullable":
            result.nullable = parse_versions(next(rest), high)
        elif word == "=":
            result.default = next(rest)
        elif word in ("plain", "ignorable"):
            setattr(result, word, True)
        else:
            raise SchemaError(f"unknown word {word!r}")
    return result


def parse_header(lines):
    header = {}
    while lines and lines[0].strip():
        key, _, value = lines.pop(0).partition(" ")
        header[key] = value.split()
    return header


def parse(path):
    lines = Path(path).read_text().splitlines()
    header = parse_header(lines)
    versions_text = header["versions"][0]
    high = int(re.split(r"[-+]", versions_text)[-1])
    versions = parse_versions(versions_text, high)
    name = header["message"][0]
    root, used = build_tree(name, [line for line in lines if line.strip() and not line.lstrip().startswith("#")], high)
    kind = header["kind"]
    flexible = header["flexible"][0]
    message = Message(name, kind[0], int(kind[1]) if len(kind) > 1 else None, versions,
                      None if flexible == "none" else parse_versions(flexible, high).low,
                      header.get("listeners", []), header.get("latest") == ["unstable"], root, [])
    order(root, message.structs)
    spread_versions(root, versions)
    if len(message.structs) != len(used):
        raise SchemaError("a struct is defined and never used")
    return message


def build_tree(name, lines, high):
    """Children of a field stand below it, two spaces further in; a struct that is used again has none there."""
    structs = {}
    root = Struct(name, name)
    open_structs = [root]
    for line in lines:
        depth = (len(line) - len(line.lstrip())) // 2
        if depth >= len(open_structs):
            raise SchemaError(f"nothing to belong to: {line.strip()!r}")
        del open_structs[depth + 1:]
        parsed = parse_field(line.strip(), high)
        open_structs[depth].fields.append(parsed)
        if parsed.type not in PRIMITIVES:
            parsed.struct = structs.setdefault(parsed.type, Struct(parsed.type, f"{name}::{parsed.type}"))
            open_structs.append(parsed.struct)
    for struct in structs.values():
        if not struct.fields:
            raise SchemaError(f"{struct.name} has no fields")
    return root, structs


def order(struct, done):
    for inner in struct.fields:
        if inner.struct is not None and inner.struct not in done:
            order(inner.struct, done)
            done.append(inner.struct)


def spread_versions(struct, versions):
    if struct.versions is None:
        struct.versions = Versions(versions.low, versions.high)
    else:
        struct.versions.low = min(struct.versions.low, versions.low)
        struct.versions.high = max(struct.versions.high, versions.high)
    for inner in struct.fields:
        if inner.struct is not None:
            spread_versions(inner.struct, Versions(max(inner.versions.low, versions.low), min(inner.versions.high, versions.high)))


def load_all(directory):
    messages = []
    for path in sorted(Path(directory).glob("*.schema")):
        try:
            messages.append(parse(path))
        except (SchemaError, KeyError, ValueError, IndexError) as error:
            raise SchemaError(f"{path.name}: {error!r}") from error
    return messages
