"""How a field of a schema looks in C++: its type, its default, the comparison with it, its smallest encoding."""

from schema import PRIMITIVES

INT_MINIMUM = {"int32": -2**31, "int64": -2**63}


def element_type(f):
    return f.type if f.struct is not None else PRIMITIVES[f.type][0]


def cpp_type(f):
    base = element_type(f)
    if f.array:
        base = f"std::pmr::vector<{base}>"
    return f"std::optional<{base}>" if f.nullable else base


def number(f):
    if f.default is None:
        return "0"
    if f.type in INT_MINIMUM and int(f.default) == INT_MINIMUM[f.type]:
        return f"std::numeric_limits<{PRIMITIVES[f.type][0]}>::min()"
    return f.default


def initializer(f):
    if f.nullable:
        if f.default == "null":
            return "{}"
        if f.array:
            return "{std::in_place}"
        if f.struct is not None:
            return f" = {f.type}()"
        return " = std::string_view{" + (f.default or "") + "}" if f.type == "string" else "{std::in_place}"
    if f.array or f.struct is not None or f.type in ("bytes", "records", "uuid"):
        return "{}"
    if f.type == "bool":
        return " = true" if f.default == "true" else " = false"
    if f.type == "string":
        return f" = {f.default}" if f.default else "{}"
    return f" = {number(f)}"


def differs(f, value):
    """An expression that is true where the value is not the default."""
    if f.nullable:
        if f.default == "null":
            return f"{value}.has_value()"
        if f.array or f.type in ("bytes", "records"):
            return f"!({value} && {value}->empty())"
        if f.struct is not None:
            return f"!({value} && *{value} == {f.struct.full}{{}})"
        return f"{value} != std::string_view{{{f.default or ''}}}"
    if f.array or f.type in ("bytes", "records"):
        return f"!{value}.empty()"
    if f.struct is not None:
        return f"!({value} == {f.struct.full}{{}})"
    if f.type == "uuid":
        return f"!{value}.is_zero()"
    if f.type == "bool":
        return f"!{value}" if f.default == "true" else value
    if f.type == "string":
        return f"{value} != {f.default}" if f.default else f"!{value}.empty()"
    return f"{value} != {number(f)}"


def uses_arena(message, struct):
    """Whether the struct holds a vector, itself or further in."""
    if message.keeps_unknown_tags:
        return True
    return any(f.array or (f.struct is not None and uses_arena(message, f.struct)) for f in struct.fields)


def flexible_at(message, version):
    return message.flexible is not None and version >= message.flexible


def least_bytes(message, struct):
    """The fewest bytes that one struct takes in any version that has it."""
    return max(1, min(struct_bytes(message, struct, v) for v in range(struct.versions.low, struct.versions.high + 1)))


def struct_bytes(message, struct, version):
    total = 1 if flexible_at(message, version) else 0
    for f in struct.fields:
        if version in f.versions and f.tag is None:
            total += field_bytes(message, f, version)
    return total


def field_bytes(message, f, version):
    flexible = flexible_at(message, version) and not f.plain
    if f.array or f.type in ("bytes", "records"):
        return 1 if flexible else 4
    if f.type == "string":
        return 1 if flexible else 2
    if f.struct is not None:
        return 1 if f.nullable else struct_bytes(message, f.struct, version)
    return PRIMITIVES[f.type][1]


def element_bytes(message, f):
    if f.struct is not None:
        return least_bytes(message, f.struct)
    return PRIMITIVES[f.type][1] or 1
