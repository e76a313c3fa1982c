#!/usr/bin/env python3
"""How soon after its intended moment a fault is effective, beside a bare call of the Docker API.

Both are done in turn on the same container; the effect is what the engine's own event says (`die`, `pause`),
on the clock that both share. Prints medians in milliseconds and their ratio.

usage: tests/bench/fire.py [RUNS]     (needs Docker, python3 and a release build)
"""

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FIREDRILL = os.environ.get("FIREDRILL") or f"{ROOT}/target/x86_64-unknown-linux-gnu/release/firedrill"
NAME = f"firedrill-bench-{os.getpid()}"
IMAGE = "firedrill-bench:fire"


class Engine(http.client.HTTPConnection):
    """One kept-alive connection to the engine's socket, as any good client would have."""

    def __init__(self):
        super().__init__("docker")

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect("/var/run/docker.sock")

    def post(self, path):
        self.request("POST", path)
        answer = self.getresponse()
        answer.read()
        assert answer.status < 300, (path, answer.status)


def event_ns(action, since_ns):
    """When the engine saw the action happen, in nanoseconds of the wall clock."""
    out = subprocess.run(
        ["docker", "events", "--since", f"{since_ns / 1e9:.9f}", "--until", f"{time.time():.9f}",
         "--filter", f"container={NAME}", "--filter", f"event={action}", "--format", "{{json .}}"],
        capture_output=True, text=True, check=True).stdout.split("\n")
    return json.loads(out[0])["timeNano"]


def bare(fault, undo, action):
    engine = Engine()
    engine.request("GET", "/_ping")
    engine.getresponse().read()
    sent = time.time_ns()
    engine.post(f"/containers/{NAME}/{fault}")
    time.sleep(0.2)
    effect = event_ns(action, sent)
    engine.post(f"/containers/{NAME}/{undo}")
    return (effect - sent) / 1e6


SCENARIO = """scenario: fire
targets: {{ it: {{ name: {name}, pick: all }} }}
probes: {{ up: {{ exec: {{ target: it, command: [/firedrill, --version] }}, rate: 1/s }} }}
expect: {{ baseline: {{ up: {{ errors: "<= 100%" }} }} }}
timing: {{ warm_up: 0s, baseline: 300ms, recovery: 300ms }}
faults: [ {{ {fault}: {{ target: it }}, at: 100ms, for: 500ms }} ]
"""


def drilled(fault, action):
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/fire.yaml", "w") as file:
            file.write(SCENARIO.format(name=NAME, fault=fault))
        done = subprocess.run([FIREDRILL, "run", f"{folder}/fire.yaml", "--reports", f"{folder}/reports"],
                              capture_output=True, text=True)
        runs = os.listdir(f"{folder}/reports")
        assert len(runs) == 1, done.stderr
        with open(f"{folder}/reports/{runs[0]}/journal.jsonl") as file:
            kinds = [json.loads(line)["kind"] for line in file]
    kinds = [kind for kind in kinds if isinstance(kind, dict)]
    assert any("fault_requested" in kind for kind in kinds), done.stdout + done.stderr
    intended = next(kind["fault_requested"]["intended"] for kind in kinds if "fault_requested" in kind)
    started = time_ns(kinds[0]["run_started"]["started"])
    changes = [kind["container_changed"]["event"] for kind in kinds if "container_changed" in kind]
    effect = next(event["time_ns"] for event in changes if event["action"] == action)
    # The engine's clock is ours here: its measured offset would only add noise.
    return (effect - started - intended) / 1e6


def time_ns(text):
    """RFC 3339 with nanoseconds, in nanoseconds since the epoch."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = int(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone)
    return seconds * 10**9 + int(fraction.ljust(9, "0") or 0)


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    os.environ["TZ"] = "UTC"
    time.tzset()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["cp", FIREDRILL, f"{folder}/firedrill"], check=True)
        tar = subprocess.Popen(["tar", "-C", folder, "-c", "firedrill"], stdout=subprocess.PIPE)
        subprocess.run(["docker", "import", "-", IMAGE], stdin=tar.stdout, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["docker", "run", "-d", "--name", NAME, IMAGE, "/firedrill", "idle"], check=True,
                   stdout=subprocess.DEVNULL)
    try:
        for fault, undo, action in [("kill", "start", "die"), ("pause", "unpause", "pause")]:
            pairs = [(bare(fault, undo, action), drilled(fault, action)) for _ in range(runs)]
            ours, theirs = (statistics.median(p[n] for p in pairs) for n in (1, 0))
            print(f"{fault}: bare API call {theirs:.1f} ms, firedrill {ours:.1f} ms, ratio {ours / theirs:.2f} "
                  f"(medians of {runs}, in turn)")
    finally:
        subprocess.run(["docker", "rm", "-f", NAME], stdout=subprocess.DEVNULL)
        subprocess.run(["docker", "rmi", IMAGE], stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
