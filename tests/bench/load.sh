#!/bin/sh
# What the load path costs, side by side with other generators, against a local nginx.
#
#   tests/bench/load.sh [ROUNDS]        three rounds unless said otherwise; about 90 s a round
#
# Each round runs every tool for 20 s at each rate, one after the other, so that a noisy minute hits all
# alike. Medians are printed: CPU seconds of the client (user + system), its peak memory, and for firedrill the
# 99th percentile of sent - intended. Installs what is missing into its own folder (oha through cargo) or, as
# root on Debian and Ubuntu, through apt (nginx, hey, time). vegeta, k6 and wrk2 take part where they are installed.
set -eu

rounds=${1:-3}
length=${LENGTH:-20}
rates=${RATES:-"2000 10000"}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=${BENCH_FOLDER:-${TMPDIR:-/tmp}/firedrill-bench}
mkdir -p "$work"

say() { printf '%s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

from_debian() { # program package
    have "$1" && return
    [ "$(id -u)" = 0 ] && have apt-get || { say "please install $2"; return 1; }
    # RUNLEVEL=1 keeps a package from starting its service.
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$2" >/dev/null
}

PATH="$work/bin:$PATH:/usr/sbin"
have /usr/bin/time || from_debian time time
from_debian nginx nginx-light
from_debian hey hey || true
have oha || { say "installing oha into $work ..."; cargo install -q --locked --root "$work" oha || say "no oha: no ratios"; }

firedrill=${FIREDRILL:-}
if [ -z "$firedrill" ]; then
    say "building firedrill ..."
    (cd "$root" && cargo build -q --release)
    firedrill=$(ls -t "$root"/target/*/release/firedrill | head -n 1)
fi

# --- the server ---
port=${PORT:-18480}
cat > "$work/nginx.conf" <<CONF
worker_processes 1;
pid $work/nginx.pid;
error_log $work/nginx.log;
events { worker_connections 8192; }
http {
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path $work/t1; proxy_temp_path $work/t2; fastcgi_temp_path $work/t3;
    uwsgi_temp_path $work/t4; scgi_temp_path $work/t5;
    server { listen 127.0.0.1:$port backlog=4096; location / { return 200 "hello, drill\n"; } }
}
CONF
nginx -c "$work/nginx.conf" -p "$work"
trap 'kill "$(cat "$work/nginx.pid")"' EXIT INT TERM
url=http://127.0.0.1:$port/

# --- one run: prints "cpu-seconds peak-MB" and keeps what the tool said ---
run() { # tool rate command...
    tool=$1 rate=$2
    shift 2
    if /usr/bin/time -f '%U %S %M' -o "$work/time" "$@" > "$work/$tool.out" 2> "$work/$tool.err"; then
        tail -n 1 "$work/time" | awk '{ printf "%.2f %.1f\n", $1 + $2, $3 / 1024 }' >> "$work/$tool.$rate"
    else
        say "$tool at $rate/s failed: $(tail -n 1 "$work/$tool.err")"
    fi
}

one() { # tool rate
    case $1 in
    firedrill)
        run firedrill "$2" "$firedrill" bench-load "$url" --rate "$2/s" --for "${length}s"
        awk '/"lateness_ms"/ { inside = 1 } inside && /"p99":/ { gsub(/[^0-9.]/, "", $2); print $2; exit }' \
            "$work/firedrill.out" >> "$work/lateness.$2" ;;
    oha) run oha "$2" oha --no-tui -c 64 -q "$2" --latency-correction -z "${length}s" "$url" ;;
    hey) run hey "$2" hey -c 50 -q $(($2 / 50)) -z "${length}s" "$url" ;;
    wrk2) run wrk2 "$2" wrk2 -t 1 -c 64 -R "$2" -d "${length}s" -L "$url" ;;
    vegeta) echo "GET $url" > "$work/targets"
        run vegeta "$2" sh -c "vegeta attack -targets '$work/targets' -rate $2 -duration ${length}s | vegeta report" ;;
    k6) printf 'import http from "k6/http";export const options={scenarios:{a:{executor:"constant-arrival-rate",rate:%s,timeUnit:"1s",duration:"%ss",preAllocatedVUs:200}}};export default()=>http.get("%s")' "$2" "$length" "$url" > "$work/k6.js"
        run k6 "$2" k6 run --quiet "$work/k6.js" ;;
    esac
}

tools=firedrill
for tool in oha hey wrk2 vegeta k6; do have $tool && tools="$tools $tool"; done
rm -f "$work"/lateness.* && for tool in $tools; do for rate in $rates; do rm -f "$work/$tool.$rate"; done; done

round=1
while [ "$round" -le "$rounds" ]; do
    for rate in $rates; do
        for tool in $tools; do
            say "round $round of $rounds: $tool at $rate/s"
            one "$tool" "$rate"
        done
    done
    round=$((round + 1))
done

median() { # column file
    awk -v c="$1" '{ print $c }' "$2" | sort -n | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)]; else print "-" }'
}

printf '%-10s %9s %8s %8s %10s %14s\n' tool rate CPU-s MB CPU/oha p99-late-ms
for rate in $rates; do
    base=-
    [ -s "$work/oha.$rate" ] && base=$(median 1 "$work/oha.$rate")
    for tool in $tools; do
        [ -s "$work/$tool.$rate" ] || continue
        cpu=$(median 1 "$work/$tool.$rate")
        late=-
        [ "$tool" = firedrill ] && late=$(median 1 "$work/lateness.$rate")
        ratio=$(awk -v a="$cpu" -v b="$base" 'BEGIN { if (b + 0 > 0) printf "%.2f", a / b; else print "-" }')
        printf '%-10s %7s/s %8s %8s %10s %14s\n' "$tool" "$rate" "$cpu" "$(median 2 "$work/$tool.$rate")" "$ratio" "$late"
    done
done
