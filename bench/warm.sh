#!/usr/bin/env bash
# How long a restart takes until the first RADIUS answer, with the inventory's snapshot.
#
#   bench/warm.sh [DEVICES [USERS [ROUNDS]]]      1000000 50000 5
#
# The gateway loads a device file once and is stopped, which saves its inventory. Then it is started
# again and again, and the time from exec to the answer of a MAC bypass for a device in the middle of
# the inventory is taken, the start of the client included. The files of the source are taken away
# for that, as a cloud that is down would be. PORT=number chooses other ports than 27912 to 27915.
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD

devices=${1:-1000000}
users=${2:-50000}
rounds=${3:-5}
port=${PORT:-27912}
gateway=$here/target/release/portreeve
lab=$here/target/release/portreeve-lab
[ -x "$gateway" ] && [ -x "$lab" ] || { echo "cargo build --release comes first" >&2; exit 1; }

work=$(mktemp -d)
pid=
finish() {
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

cp -r conf "$work/"
cd "$work"
"$lab" load inventory --devices "$devices" --users "$users" --out conf >/dev/null
# The passwords of so many users are no part of this, and the client reads the file too.
cp "$here/conf/users.toml" conf/users.toml
sed -i -e "s/11812/$port/g" -e "s/11813/$((port + 1))/g" -e "s/:18443/:$((port + 2))/g" \
    -e "s/:19090/:$((port + 3))/g" conf/gateway.toml
mac=$(awk -F, -v row=$((devices / 2)) 'NR == row + 2 { print $6 }' conf/devices.csv)

# Starts the gateway and returns when it is up.
start() {
    mkfifo up
    "$gateway" >up 2>log &
    pid=$!
    grep -q 'Ctrl-C stops it' up || { cat log >&2; exit 1; }
    rm up
}

stop() {
    kill "$pid"
    wait "$pid"
    pid=
}

now() { date +%s%N; }

begun=$(now)
start
echo "without a snapshot: up after $((($(now) - begun) / 1000000)) ms"
begun=$(now)
stop
echo "stopped and saved after $((($(now) - begun) / 1000000)) ms: $(stat -c %s var/inventory.snapshot) octets"
rm conf/devices.csv conf/users.csv

for _ in $(seq "$rounds"); do
    begun=$(now)
    start
    up=$(now)
    "$gateway" probe mab "$mac" --server "127.0.0.1:$port" >answer
    answered=$(now)
    grep -q 'Access-Accept' answer
    echo "up after $(((up - begun) / 1000000)) ms, first answer after $(((answered - begun) / 1000000)) ms;" \
        "$(grep -o 'took_ms=[0-9]*' log)"
    stop
done
