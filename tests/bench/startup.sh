#!/bin/sh
# How long `firedrill --version` takes, how big the binary is, and how soon the journal is there.
# usage: tests/bench/startup.sh      (needs a release build, python3)
set -eu
cd "$(dirname "$0")/../.."
bin=${FIREDRILL:-target/x86_64-unknown-linux-gnu/release/firedrill}
printf 'binary: %s bytes\n' "$(stat -c %s "$bin")"
python3 - "$bin" <<'PY'
import json, os, statistics, subprocess, sys, tempfile, time

firedrill = os.path.abspath(sys.argv[1])

def version():
    began = time.perf_counter()
    subprocess.run([firedrill, "--version"], stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1e3

def true():
    began = time.perf_counter()
    subprocess.run(["/bin/true"], check=True)
    return (time.perf_counter() - began) * 1e3

pairs = [(version(), true()) for _ in range(41)]
ours, bare = (statistics.median(p[n] for p in pairs) for n in (0, 1))
print(f"--version: {ours:.2f} ms (spawning /bin/true the same way: {bare:.2f} ms; medians of 41)")

SCENARIO = """scenario: startup
targets: { none: { name: there-is-no-such-container } }
probes: { up: { tcp: { address: "127.0.0.1:9" }, rate: 1/s } }
expect: { baseline: { up: { errors: "<= 1%" } } }
faults: [ { pause: { target: none }, at: 0s, for: 1s } ]
"""

def first_line():
    with tempfile.TemporaryDirectory() as folder:
        open(f"{folder}/s.yaml", "w").write(SCENARIO)
        began = time.time()
        subprocess.run([firedrill, "run", f"{folder}/s.yaml", "--reports", f"{folder}/reports"], capture_output=True)
        runs = os.listdir(f"{folder}/reports")
        journal = f"{folder}/reports/{runs[0]}/journal.jsonl"
        born = subprocess.run(["stat", "-c", "%.9W", journal], capture_output=True, text=True, check=True).stdout
        return (float(born) - began) * 1e3

print(f"process start to the birth of journal.jsonl: {statistics.median(first_line() for _ in range(15)):.1f} ms (median of 15)")
PY
