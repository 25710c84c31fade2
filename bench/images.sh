#!/usr/bin/env bash
# Pictures per second: our whole pipeline against a plain Python loop over ONNX Runtime.
set -euo pipefail

usage() {
    cat <<'TEXT'
Embeds the pictures of a Cookbook's directory several times over, by turns: a plain Python loop
(decode, resize, infer; nothing is stored), adb's pipeline into an embedded database, and adb's
pipeline into nowhere. Same files, same embedder, same threads, same batch.

usage: bench/images.sh DIR [ROUNDS [REPEAT [BATCH]]]     (default 5 10 16)

  DIR      dishes.json beside images/, such as examples/data/cookbook
  ROUNDS   how often the three take turns
  REPEAT   how often one run goes through the files
  BATCH    pictures that are embedded at once
TEXT
}
case ${1:-} in '' | -h | --help) usage && exit ;; esac
data=$(cd "$1" && pwd)
rounds=${2:-5} repeat=${3:-10} batch=${4:-16}
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo build --quiet --release --package adb-bench --bin images
images=${CARGO_TARGET_DIR:-target}/release/images
threads=$(getconf _NPROCESSORS_ONLN)

echo "load before: $(cut -d ' ' -f 1-3 /proc/loadavg 2>/dev/null || uptime)"
results=$(mktemp)
trap 'rm -f "$results"' EXIT
for round in $(seq "$rounds"); do
    echo "== round $round"
    python3 tools/models/bench_loop.py --data "$data" --threads "$threads" --batch "$batch" \
        --repeat "$repeat" | sed 's/^/python  /' | tee -a "$results"
    for sink in engine null; do
        "$images" --data "$data" --threads "$threads" --batch "$batch" --repeat "$repeat" \
            --sink "$sink" | sed "s/^/$sink  /" | tee -a "$results"
    done
done
echo "load after: $(cut -d ' ' -f 1-3 /proc/loadavg 2>/dev/null || uptime)"

python3 - "$results" <<'PYTHON'
import re
import statistics
import sys

rates = {}
for line in open(sys.argv[1]):
    if found := re.match(r"(\w+) .* ([\d.]+) images/s", line):
        rates.setdefault(found[1], []).append(float(found[2]))


def show(title, values):
    print(f"{title:<34}min {min(values):.2f}  median {statistics.median(values):.2f}  "
          f"max {max(values):.2f}")


for side, values in rates.items():
    show(f"{side}, images/s", values)
for side in ("engine", "null"):
    show(f"{side} / python, round by round",
         [ours / theirs for ours, theirs in zip(rates[side], rates["python"])])
PYTHON
