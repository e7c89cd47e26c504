"""Prints the header of one message: the structs and the functions that every message has."""

from cpp import cpp_type, initializer, uses_arena


def member_lines(message, struct):
    lines = [f"{cpp_type(f)} {f.cpp_name}{initializer(f)};" for f in struct.fields]
    if message.keeps_unknown_tags:
        lines.append("std::pmr::vector<RawTaggedField> unknown_tagged_fields{};")
    return lines


def struct_lines(message, struct, own_name):
    name = struct.name
    lines = []
    if uses_arena(message, struct):
        lines += [
            "using allocator_type = Allocator;",
            f"{name}() = default;",
            f"explicit {name}(const Allocator& allocator);",
            f"{name}(const {name}&) = default;",
            f"{name}({name}&&) = default;",
            f"{name}(const {name}& other, const Allocator& allocator);",
            f"{name}({name}&& other, const Allocator& allocator);",
            f"{name}& operator=(const {name}&) = default;",
            f"{name}& operator=({name}&&) = default;",
            f"~{name}() = default;",
            "",
        ]
    lines += member_lines(message, struct)
    lines.append(f"friend bool operator==(const {own_name}& a, const {own_name}& b);")
    return lines


def constant_lines(message):
    lines = [f'static constexpr std::string_view kName = "{message.name}";']
    if message.kind in ("request", "response"):
        lines.append(f"static constexpr int16_t kApiKey = {message.id};")
    elif message.id is not None:
        lines.append(f"static constexpr int16_t kRecordType = {message.id};")
    flexible = "kNeverFlexible" if message.flexible is None else message.flexible
    lines += [
        f"static constexpr int16_t kMinVersion = {message.versions.low};",
        f"static constexpr int16_t kMaxVersion = {message.versions.high};",
        f"static constexpr int16_t kFirstFlexibleVersion = {flexible};",
    ]
    if message.kind == "request":
        lines.append(f"using Response = {message.name[:-len('Request')]}Response;")
    return lines


def print_header(message):
    name = message.name
    out = [f"// Generated from src/wire/schemas/{name}.schema; edit that.", "#pragma once", "", '#include "wire/message.h"', "",
           "namespace stele::wire {", ""]
    if message.kind == "request":
        out += [f"struct {name[:-len('Request')]}Response;", ""]
    out.append(f"struct {name} {{")
    out += ["  " + line for line in constant_lines(message)] + [""]
    for struct in message.structs:
        out.append(f"  struct {struct.name} {{")
        out += [("    " + line).rstrip() for line in struct_lines(message, struct, struct.name)]
        out += ["  };", ""]
    out += [("  " + line).rstrip() for line in struct_lines(message, message.root, name)]
    out += [
        "};", "",
        f"base::Result<void> decode(Reader& in, int16_t version, {name}& message);",
        f"base::Result<EncodedSize> measure(const {name}& message, int16_t version);",
        f"size_t encoded_size(const {name}& message, int16_t version);",
        f"void encode(Writer& out, const {name}& message, int16_t version);", "",
        "}  // namespace stele::wire",
    ]
    return "\n".join(out) + "\n"
