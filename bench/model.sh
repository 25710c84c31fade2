#!/usr/bin/env bash
# From a struct to the bytes of a request, in Rust and with the Python SDK, side by side.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'TEXT'
Measures how long a Dish with two ingredients and an embedding of 512 numbers takes from its
struct to the bytes of a request: adb's derive and lowering against the Python SDK's data models,
generate_add_query and json.dumps. The two take turns.

usage: bench/model.sh [ROUNDS]     (default 5)

environment:
  ADB_CACHE_DIR   where the SDK is installed, once (default: ~/.cache/adb)
TEXT
}
case ${1:-} in -h | --help) usage && exit ;; esac
rounds=${1:-5}

packages=$(python3 bench/sdk.py | tail -n 1)
cargo build --quiet --release --package adb-bench --bin model --bin allocations
model=${CARGO_TARGET_DIR:-target}/release/model
echo '== allocations, each step counted once'
"${CARGO_TARGET_DIR:-target}/release/allocations"

echo "load before: $(cut -d ' ' -f 1-3 /proc/loadavg 2>/dev/null || uptime)"
results=$(mktemp)
trap 'rm -f "$results"' EXIT
for round in $(seq "$rounds"); do
    echo "== round $round"
    "$model" | sed 's/^/rust    /' | tee -a "$results"
    PYTHONPATH=$packages python3 bench/model.py | sed 's/^/python  /' | tee -a "$results"
done
echo "load after: $(cut -d ' ' -f 1-3 /proc/loadavg 2>/dev/null || uptime)"

echo '== medians of all rounds, and the ratio of each round'
python3 - "$results" <<'PYTHON'
import re
import statistics
import sys

times = {}
for line in open(sys.argv[1]):
    if found := re.match(r"(rust|python)\s+(\w+)\s+(\d+) ns", line):
        times.setdefault((found[1], found[2]), []).append(int(found[3]))


def show(title, values, form):
    print(f"{title:<54}" + "  ".join(f"{name} {form.format(pick(values))}" for name, pick in
                                     (("min", min), ("median", statistics.median), ("max", max))))


for (side, step), values in times.items():
    show(f"{side} {step}, ns", values, "{:,.0f}")
rust = [sum(pair) for pair in zip(times["rust", "graph"], times["rust", "lowering"])]
show("ratio, record in hand (query / graph + lowering)",
     [p / r for p, r in zip(times["python", "query"], rust)], "{:.0f}")
show("ratio, record made too (whole / whole)",
     [p / r for p, r in zip(times["python", "whole"], times["rust", "whole"])], "{:.0f}")
PYTHON
