"""Prints the implementation of one message: read and write of each struct, comparison, constructors."""

from cpp import differs, element_bytes, uses_arena
from schema import Versions


def condition(versions, within):
    """The test that `version`, known to be in `within`, is in `versions`; None where it always is."""
    parts = []
    if versions.low > within.low:
        parts.append(f"version >= {versions.low}")
    if versions.high < within.high:
        parts.append(f"version <= {versions.high}")
    return " && ".join(parts) if parts else None


def overlap(a, b):
    return Versions(max(a.low, b.low), min(a.high, b.high))


def null_allowed(f, within):
    both = overlap(f.nullable, within)
    if both.low > both.high:
        return "false"
    return condition(f.nullable, within) or "true"


def flexible_of(message, f):
    return "false" if f.plain or message.flexible is None else "flexible"


def read_statement(message, f, within):
    target = f"m.{f.cpp_name}"
    flexible = flexible_of(message, f)
    null = null_allowed(f, within) if f.nullable else None
    if f.array:
        extra = f", {null}" if null else ""
        return f"generated::read_array(in, {flexible}, version, {element_bytes(message, f)}{extra}, {target});"
    if f.struct is not None:
        in_tag = ", true" if f.tag is not None else ""
        return f"generated::read_struct(in, version, {null}, {target}{in_tag});" if null else f"read(in, version, {target});"
    if f.type in ("string", "bytes", "records"):
        kind = "string" if f.type == "string" else "bytes"
        return (f"{target} = in.get_nullable_{kind}({flexible}, {null});" if null
                else f"{target} = in.get_{kind}({flexible});")
    if f.type == "uuid":
        return f"{target} = in.get_uuid();"
    if f.type == "float64":
        return f"{target} = in.get_double();"
    return f"{target} = in.get<decltype({target})>();"


def write_statement(message, f, within, out="out"):
    value = f"m.{f.cpp_name}"
    flexible = flexible_of(message, f)
    null = f'{null_allowed(f, within)}, "{f.name}"' if f.nullable else None
    if f.array:
        extra = f", {null}" if null else ""
        return f"generated::write_array({out}, {flexible}, version{extra}, {value});"
    if f.struct is not None:
        in_tag = ", true" if f.tag is not None else ""
        return f"generated::write_struct({out}, version, {null}, {value}{in_tag});" if null else f"write({out}, version, {value});"
    if f.type in ("string", "bytes", "records"):
        if null:
            return f"{out}.put_{f.type}({value}, {flexible}, {null});"
        return f'{out}.put_string({value}, {flexible}, "{f.name}");' if f.type == "string" else f"{out}.put_{f.type}({value}, {flexible});"
    if f.type == "uuid":
        return f"{out}.put_uuid({value});"
    if f.type == "float64":
        return f"{out}.put_double({value});"
    return f"{out}.put({value});"


def flexible_versions(message, within):
    return overlap(Versions(message.flexible, within.high), within) if message.flexible is not None else Versions(1, 0)


def read_lines(message, struct):
    within = struct.versions
    lines = []
    for f in struct.fields:
        if f.tag is None:
            test = condition(f.versions, within)
            lines.append((f"if ({test}) " if test else "") + read_statement(message, f, within if not test else overlap(f.versions, within)))
    flexible = flexible_versions(message, within)
    if flexible.low > flexible.high:
        return lines
    body = ["for (int32_t tags = in.get_tag_count(); tags > 0 && in.ok(); --tags) {", "  const Reader::Tag tag = in.get_tag();"]
    unknown = "generated::keep_unknown(in, tag, m.unknown_tagged_fields);" if message.keeps_unknown_tags else "in.skip(tag.size);"
    tagged = [f for f in struct.fields if f.tag is not None]
    if not tagged:
        body.append(f"  {unknown}")
    else:
        body.append("  switch (tag.number) {")
        for f in sorted(tagged, key=lambda f: f.tag):
            body.append(f"    case {f.tag}:")
            test = condition(f.versions, flexible)
            if test:
                body.append(f'      if (!({test})) in.fail("has a tag that its version does not know");')
            if f.struct is not None and not f.array and not f.nullable:
                # The last of equal tags wins, and nothing of the one before stays.
                body.append(f"      m.{f.cpp_name} = {f.struct.full}{'(in.arena())' if uses_arena(message, f.struct) else '{}'};")
            body += [f"      {read_statement(message, f, overlap(f.versions, within))}", "      break;"]
        body += ["    default:", f"      {unknown}", "  }"]
    body.append("}")
    return lines + guarded(condition(flexible, within), body)


def guarded(test, body):
    return [f"if ({test}) {{"] + ["  " + line for line in body] + ["}"] if test else body


def refuse_lines(f, test):
    """What is to be done where the version lacks the field."""
    if f.ignorable or test is None:
        return []
    return [f'if (!({test}) && ({differs(f, "m." + f.cpp_name)})) out.refuse("{f.name}");']


def write_lines(message, struct):
    within = struct.versions
    lines = []
    tagged = sorted((f for f in struct.fields if f.tag is not None), key=lambda f: f.tag)
    for f in struct.fields:
        test = condition(f.versions, within)
        lines += refuse_lines(f, test)
        if f.tag is None:
            lines.append((f"if ({test}) " if test else "") + write_statement(message, f, overlap(f.versions, within)))
    flexible = flexible_versions(message, within)
    if flexible.low > flexible.high:
        return lines
    return lines + guarded(condition(flexible, within), tag_section(message, tagged, within, flexible))


def tag_section(message, tagged, within, flexible):
    keep = message.keeps_unknown_tags
    if not tagged and not keep:
        return ["out.put_uvarint(0);"]
    lines = []
    for f in tagged:
        test = condition(f.versions, flexible)
        lines.append(f"const bool has_{f.name} = {test + ' && ' if test else ''}({differs(f, 'm.' + f.cpp_name)});")
    count = [f"uint32_t{{has_{f.name}}}" for f in tagged]
    if keep:
        count.append("static_cast<uint32_t>(m.unknown_tagged_fields.size())")
        lines.append("size_t next_unknown = 0;")
    lines.append(f"out.put_uvarint({' + '.join(count)});")
    for f in tagged:
        if keep:
            lines.append(f"generated::write_unknown(out, m.unknown_tagged_fields, next_unknown, {f.tag});")
        body = write_statement(message, f, overlap(f.versions, within), "tagged")
        lines.append(f"if (has_{f.name}) out.put_tagged({f.tag}, [&](auto& tagged) {{ {body} }});")
    if keep:
        lines.append("generated::write_unknown(out, m.unknown_tagged_fields, next_unknown, generated::kAllTags);")
    return lines


def equal_expression(message, struct):
    parts = []
    for f in struct.fields:
        a, b = f"a.{f.cpp_name}", f"b.{f.cpp_name}"
        parts.append(f"generated::same({a}, {b})" if f.type in ("bytes", "records") else f"{a} == {b}")
    if message.keeps_unknown_tags:
        parts.append("a.unknown_tagged_fields == b.unknown_tagged_fields")
    return " && ".join(parts) if parts else "true"


def constructor_lines(message, struct, full):
    name = struct.name
    inits = []
    for f in struct.fields:
        if f.nullable and f.default != "null" and f.struct is not None and not f.array and uses_arena(message, f.struct):
            inits.append(f"{f.cpp_name}({f.type}(allocator))")
        elif f.nullable and f.default != "null" and f.array:
            inits.append(f"{f.cpp_name}(std::in_place, allocator)")
        elif not f.nullable and (f.array or (f.struct is not None and uses_arena(message, f.struct))):
            inits.append(f"{f.cpp_name}(allocator)")
    if message.keeps_unknown_tags:
        inits.append("unknown_tagged_fields(allocator)")
    used = " : " + ", ".join(inits) if inits else ""
    parameter = "allocator" if inits else ""
    return [
        f"{full}::{name}(const Allocator& {parameter}){used} {{}}",
        f"{full}::{name}(const {name}& other, const Allocator& allocator) : {name}(allocator) {{ *this = other; }}",
        f"{full}::{name}({name}&& other, const Allocator& allocator) : {name}(allocator) {{ *this = std::move(other); }}",
    ]


def struct_source(message, struct):
    full = struct.full
    flexible = [f"  [[maybe_unused]] const bool flexible = version >= {message.flexible};"] if message.flexible is not None else []
    parameters = "[[maybe_unused]] {0}, [[maybe_unused]] int16_t version, [[maybe_unused]] {1}& m"
    out = [f"static void read({parameters.format('Reader& in', full)}) {{"]
    out += flexible + ["  " + line for line in read_lines(message, struct)] + ["}", ""]
    out += ["template <class Out>", f"static void write({parameters.format('Out& out', 'const ' + full)}) {{"]
    out += flexible + ["  " + line for line in write_lines(message, struct)] + ["}", ""]
    if uses_arena(message, struct):
        out += constructor_lines(message, struct, full) + [""]
    expression = equal_expression(message, struct)
    names = ("", "") if expression == "true" else (" a", " b")
    out += [f"bool operator==(const {full}&{names[0]}, const {full}&{names[1]}) {{", f"  return {expression};", "}", ""]
    return out


def print_source(message):
    name = message.name
    out = [f"// Generated from src/wire/schemas/{name}.schema; edit that.", f'#include "wire/{message.file}.h"', "",
           '#include "wire/generated.h"', "", "namespace stele::wire {", ""]
    for struct in message.structs:
        out += struct_source(message, struct)
    out += struct_source(message, message.root)
    out += [
        f"base::Result<void> decode(Reader& in, int16_t version, {name}& message) {{",
        "  return generated::decode_message(in, version, message);", "}",
        f"base::Result<EncodedSize> measure(const {name}& message, int16_t version) {{",
        "  return generated::measure_message(message, version);", "}",
        f"size_t encoded_size(const {name}& message, int16_t version) {{",
        "  return generated::message_size(message, version);", "}",
        f"void encode(Writer& out, const {name}& message, int16_t version) {{ write(out, version, message); }}", "",
        "}  // namespace stele::wire",
    ]
    return "\n".join(out) + "\n"
