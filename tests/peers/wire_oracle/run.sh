#!/usr/bin/env bash
# Compares our encoders and decoders with Kafka's classes, both ways: run.sh <wire_test program> <work directory>.
# Exit code 77 (skipped) where the jars are not there.
set -euo pipefail
wire_test=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
jars=${STELE_KAFKA_JARS:-$HOME/.cache/stele/kafka-4.3.1}
if ! ls "$jars"/kafka-clients-*.jar >/dev/null 2>&1 || ! command -v javac >/dev/null; then
  echo "no Kafka jars in $jars or no Java compiler: skipped"
  exit 77
fi
mkdir -p "$2/classes" "$2/schemas"
cd "$2"
path="$jars/*:classes"
javac -d classes -cp "$jars/*" "$here"/*.java
java -cp "$path" Oracle write all golden.txt
java -cp "$path" Oracle json json.txt
STELE_WIRE_GOLDEN=golden.txt STELE_WIRE_JSON=json.txt STELE_WIRE_OURS=ours.txt "$wire_test" --gtest_brief=1 --gtest_filter='Golden.*:Catalog.*:RecordJson.*'
java -cp "$path" Oracle check ours.txt
# The schemas in the tree are what the jars say.
rm -f schemas/*
java -cp "$path" SchemaPrinter schemas
diff -r "$here/../../../src/wire/schemas" schemas
echo "$(wc -l <golden.txt) messages of Kafka read and written alike"
