#!/bin/sh
# Portreeve beside FreeRADIUS: MAC authentication bypass and PAP on this machine, in one run.
#
#   bench/freeradius.sh [DEVICES [USERS [SECONDS [ROUNDS]]]]      default: 10000 1000 5 5
#
# Both servers get the same devices, users and answers (VLAN, filter, time limit), both run on
# core 0, the generator on core 1. Rounds take turns, so that whatever else the machine does falls
# on both. What counts is the processor time of the server for each request, and the ratio.
#
# FreeRADIUS runs in its fastest form: one process without threads (-s), no log, no accounting, a
# users file, no delay of rejects. It is started from a folder of its own, not as the system's
# service. Its replies carry no Message-Authenticator (3.2.1); ours do.
#
# Needs: the Debian package freeradius, and `cargo build --release` (or BIN=folder with the two
# programs). PORT=number chooses other ports than 36812 to 36822.
set -eu

devices=${1:-10000}
users=${2:-1000}
seconds=${3:-5}
rounds=${4:-5}
here=$(cd "$(dirname "$0")/.." && pwd)
bin=${BIN:-$here/target/release}
ours=${PORT:-36812}
theirs=$((ours + 10))

for needed in "$bin/portreeve" "$bin/portreeve-lab"; do
    [ -x "$needed" ] || { echo "$needed is missing: cargo build --release" >&2; exit 1; }
done
radiusd=$(command -v freeradius || command -v radiusd) || {
    echo "freeradius is missing: apt install freeradius" >&2
    exit 1
}

work=$(mktemp -d)
pids=
finish() {
    for pid in $pids; do
        kill "$pid" 2>/dev/null || true
    done
    wait
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

# Core 0 is the server's, core 1 the generator's.
on_server=
on_generator=
if [ "$(nproc)" -ge 2 ] && command -v taskset >/dev/null; then
    on_server="taskset -c 0"
    on_generator="taskset -c 1"
fi

# ---- Portreeve: the sample configuration with other ports and the made-up world ----
mkdir "$work/portreeve"
cp -r "$here/conf" "$work/portreeve/conf"
"$bin/portreeve-lab" load inventory --devices "$devices" --users "$users" \
    --out "$work/portreeve/conf" >/dev/null
chmod 600 "$work/portreeve/conf/users.toml"
sed -i -e "s/11812/$ours/g" -e "s/11813/$((ours + 1))/g" -e "s/:18443/:$((ours + 2))/g" \
    -e "s/:19090/:$((ours + 3))/g" "$work/portreeve/conf/gateway.toml"
(cd "$work/portreeve" && exec $on_server "$bin/portreeve" >"$work/portreeve.log" 2>&1) &
our_pid=$!
pids="$pids $our_pid"

# ---- FreeRADIUS ----
secret=lab-secret-of-24-letters
mkdir "$work/freeradius"
cat >"$work/freeradius/radiusd.conf" <<CONF
prefix = $work/freeradius
logdir = $work/freeradius
run_dir = $work/freeradius
raddbdir = $work/freeradius
pidfile = $work/freeradius/radiusd.pid
libdir = /usr/lib/freeradius
hostname_lookups = no
max_request_time = 30
cleanup_delay = 5
max_requests = 65536
log {
    destination = files
    file = $work/freeradius/radius.log
    auth = no
}
security {
    max_attributes = 200
    reject_delay = 0
    status_server = yes
}
client generator {
    ipaddr = 127.0.0.1
    secret = $secret
    require_message_authenticator = yes
}
modules {
    files {
        usersfile = $work/freeradius/users
    }
    pap {
        normalise = no
    }
}
server default {
    listen {
        type = auth
        ipaddr = 127.0.0.1
        port = $theirs
    }
    authorize {
        files
        pap
    }
    authenticate {
        Auth-Type PAP {
            pap
        }
    }
}
CONF
answer='Tunnel-Type = VLAN, Tunnel-Medium-Type = IEEE-802, Tunnel-Private-Group-Id = "20", Filter-Id = "quarantine", Session-Timeout = 3600'
awk -v devices="$devices" -v users="$users" -v answer="$answer" 'BEGIN {
    # 00:00:5e:10:00:00 and up, the same as load inventory.
    for (n = 0; n < devices; n++)
        printf "00005e%06x Auth-Type := Accept\n\t%s\n", 1048576 + n, answer
    for (n = 0; n < users; n++)
        printf "load%d@example.com Cleartext-Password := \"password%d\"\n\t%s\n", n, n, answer
}' >"$work/freeradius/users"
chmod 640 "$work"/freeradius/*
printf '%s\n' "$secret" >"$work/secret"
$on_server "$radiusd" -s -d "$work/freeradius" >"$work/freeradius.log" 2>&1 &
their_pid=$!
pids="$pids $their_pid"

load() { # server kind seconds; prints microseconds of the server's processor time for each request
    kind=$2
    time=$3
    case $1 in
    portreeve) set -- "$ours" "$work/portreeve/certs/secrets/nas-local" "$our_pid" ;;
    freeradius) set -- "$theirs" "$work/secret" "$their_pid" --unsigned-replies ;;
    esac
    port=$1
    file=$2
    pid=$3
    shift 3
    $on_generator "$bin/portreeve-lab" load radius --json --kind "$kind" --expect vlan=20 \
        --server "127.0.0.1:$port" --secret-file "$file" --server-pid "$pid" \
        --macs "00:00:5e:10:00:00+$devices" --users "load{n}@example.com:password{n}+$users" \
        --outstanding 64 --seconds "$time" "$@" >"$work/line" || return 1
    sed -n 's/.*"server_cpu_us":\([0-9.]*\).*/\1/p' "$work/line"
}

# Both are ready when they answer; a million devices take a while to load.
for server in portreeve freeradius; do
    tries=0
    until load "$server" mab 1 >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -ge 60 ]; then
            echo "$server does not answer:" >&2
            tail -5 "$work/$server.log" "$work/line" >&2
            exit 1
        fi
        sleep 1
    done
done

"$radiusd" -v | head -1
"$bin/portreeve" --version
echo "$devices devices, $users users, $rounds rounds of $seconds s, 64 outstanding"
echo "server processor time for each request, in microseconds:"
echo
round=0
while [ "$round" -lt "$rounds" ]; do
    for kind in mab pap; do
        for server in freeradius portreeve; do
            spent=$(load "$server" "$kind" "$seconds") || {
                echo "that was $server, $kind" >&2
                exit 1
            }
            echo "$kind $server $spent" >>"$work/results"
        done
    done
    round=$((round + 1))
done
for kind in mab pap; do
    for server in freeradius portreeve; do
        grep "^$kind $server " "$work/results" | sort -k3 -n | awk '
            { value[NR] = $3; all = all " " $3 }
            END { printf "%-4s %-11s median %6.1f  (%s)\n", $1, $2, value[int((NR + 1) / 2)], substr(all, 2) }'
    done
done | tee "$work/table"
echo
awk '$2 == "freeradius" { theirs[$1] = $4 } $2 == "portreeve" {
    printf "%-4s Portreeve needs %.2f of what FreeRADIUS needs\n", $1, $4 / theirs[$1]
    if ($4 >= theirs[$1]) wrong = 1
} END { exit wrong }' "$work/table"
