"""Prints what spans messages: the API keys with their versions and listeners, and the numbers of the record types."""


def enumerator(name):
    return "k" + name[0].upper() + name[1:]


def requests(messages):
    return sorted((m for m in messages if m.kind == "request"), key=lambda m: m.id)


def print_api_keys(messages):
    out = ["// Generated from src/wire/schemas; edit those.", "#pragma once", "", "#include <cstdint>", "", "namespace stele::wire {", "",
           "enum class ApiKey : int16_t {"]
    out += [f"  {enumerator(m.name[:-len('Request')])} = {m.id}," for m in requests(messages)]
    out += ["};", "", "}  // namespace stele::wire"]
    return "\n".join(out) + "\n"


def record_names(messages, kind, suffix):
    chosen = sorted((m for m in messages if m.kind == kind), key=lambda m: m.id)
    return [(m.name.removesuffix(suffix), m.id) for m in chosen]


def print_record_types(messages):
    out = ["// Generated from src/wire/schemas; edit those.", "#pragma once", "", "#include <cstdint>", "", "namespace stele::wire {", ""]
    for enum, comment, kind, suffix in (
            ("MetadataRecordType", "Records of __cluster_metadata.", "record", "Record"),
            ("GroupRecordType", "Record keys of __consumer_offsets: the first two bytes of a key.", "group-key", "Key"),
            ("TransactionRecordType", "Record keys of __transaction_state.", "transaction-key", "Key"),
            ("ShareRecordType", "Record keys of __share_group_state.", "share-key", "Key"),
            ("RemoteRecordType", "Records of __remote_log_metadata.", "remote-record", "Record")):
        out += [f"// {comment}", f"enum class {enum} : int16_t {{"]
        out += [f"  {enumerator(name)} = {number}," for name, number in record_names(messages, kind, suffix)]
        out += ["};", ""]
    out += ["}  // namespace stele::wire"]
    return "\n".join(out) + "\n"


def print_api_table(messages):
    responses = {m.id: m for m in messages if m.kind == "response"}
    out = ["// Generated from src/wire/schemas; edit those.", '#include "wire/api.h"', "", "namespace stele::wire {", "",
           "namespace {", "constexpr ApiInfo kApis[] = {"]
    for m in requests(messages):
        response = responses[m.id]
        listeners = " | ".join(f"kOn{name.capitalize()}" for name in m.listeners) or "0"
        flexible = "kNeverFlexible" if m.flexible is None else m.flexible
        answer = "kNeverFlexible" if response.flexible is None else response.flexible
        out.append(f'    {{{m.id}, "{m.name[:-len("Request")]}", {m.versions.low}, {m.versions.high}, {flexible}, {answer}, '
                   f'{"true" if m.unstable else "false"}, {listeners}}},')
    out += ["};", "}  // namespace", "", "std::span<const ApiInfo> all_apis() { return kApis; }", "", "}  // namespace stele::wire"]
    return "\n".join(out) + "\n"
