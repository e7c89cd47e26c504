#!/usr/bin/env bash
# Makes the golden log directories of src/log/testdata from a real Apache Kafka: one stopped cleanly, one killed.
# usage: make_golden.sh <directory of Kafka's jars> <empty work directory> [port]
set -eu
jars=$1 work=$2 port=${3:-29392}
here=$(cd "$(dirname "$0")" && pwd)
data=$here/../../../src/log/testdata
export CLASSPATH="$jars/*"
java_small="java -Xmx300m -XX:TieredStopAtLevel=1"

wait_for() {
  grep -q -m1 "$2" < <(timeout 60 tail -n +1 -F "$1" 2> /dev/null) || { echo "no '$2' in $1"; return 1; }
}

make_one() {
  local kind=$1 dir=$work/$1
  mkdir -p "$dir"
  cat > "$dir/server.properties" <<P
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:$((port + 1))
log.dirs=$dir/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
offsets.topic.num.partitions=1
P
  $java_small kafka.tools.StorageTool format -t AAAAAAAAAAAAAAAAAAAAZQ -c "$dir/server.properties" > "$dir/format.txt" 2>&1
  $java_small kafka.Kafka "$dir/server.properties" > "$dir/broker.txt" 2>&1 &
  local broker=$!
  trap 'kill -9 $broker 2>/dev/null' EXIT
  wait_for "$dir/broker.txt" "Kafka Server started"
  if [ "$kind" = clean ]; then
    $java_small "$here/FillLogs.java" "127.0.0.1:$port" 2> "$dir/fill.txt"
    kill -TERM $broker
  else
    $java_small "$here/FillLogs.java" "127.0.0.1:$port" open 2> "$dir/fill.txt"
    kill -9 $broker
  fi
  wait $broker || true
  trap - EXIT
  rm -rf "${data:?}/$kind"
  mkdir -p "$data/$kind"
  for file in meta.properties .kafka_cleanshutdown recovery-point-offset-checkpoint log-start-offset-checkpoint \
      replication-offset-checkpoint plain-0 codecs-0 cut-0 txn-0 empty-0; do
    [ ! -e "$dir/data/$file" ] || cp -r "$dir/data/$file" "$data/$kind/"
  done
  # What a killed broker leaves of its preallocated indexes is 10 MiB of zeros each: keep the first bytes of them.
  find "$data/$kind" \( -name '*.index' -o -name '*.timeindex' \) -size +64k -exec truncate -s 1200 {} +
}

make_one clean
make_one killed
du -sh "$data"
