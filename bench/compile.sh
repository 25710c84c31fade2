#!/usr/bin/env bash
# What deriving costs at compile time: adb's DataModel against serde's derive on the same structs.
set -euo pipefail

usage() {
    cat <<'TEXT'
Writes crates of the same structs into a temporary directory, one for each way of deriving, and
times cargo on each, by turns, without incremental compilation; what they depend on is built
before. Each struct is also used once: a graph is made of it, or it is read from JSON and written
back, so that generic code is compiled too.

  plain   no derive
  serde   Serialize and Deserialize
  model   DataModel
  both    all three

usage: bench/compile.sh [MODELS [FIELDS [ROUNDS]]]     (default 100 20 5)
TEXT
}
case ${1:-} in -h | --help) usage && exit ;; esac
models=${1:-100} fields=${2:-20} rounds=${3:-5}
[ "$fields" -ge 1 ] || { echo 'error: a model has one field at least' >&2; exit 2; }
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# NAME DERIVES: a crate whose structs have these derives.
crate() {
    local name=$1 derives=$2 types=(String i64 f64 bool 'Option<String>' 'Option<i64>') m f
    mkdir -p "$work/$name/src"
    cat >"$work/$name/Cargo.toml" <<TOML
[package]
name = "$name"
version = "0.0.0"
edition = "2024"

[dependencies]
adb-rs = { path = "$repo/adb", default-features = false }
serde = { version = "1", features = ["derive"] }
serde_json = "1"
TOML
    {
        echo '#![allow(unused_imports, dead_code)]'
        echo 'use adb::prelude::*;'
        echo 'use serde::{Deserialize, Serialize};'
        for ((m = 0; m < models; m++)); do
            [ -z "$derives" ] || echo "#[derive($derives)]"
            echo "pub struct Model$m {"
            [[ $derives != *DataModel* ]] || echo '    #[adb(id)]'
            echo '    pub id: u64,'
            for ((f = 1; f < fields; f++)); do
                echo "    pub field_$f: ${types[f % ${#types[@]}]},"
            done
            echo '}'
            [[ $derives != *DataModel* ]] || echo "pub fn graph_$m(model: &Model$m) -> Result<adb::Graph, adb::ModelError> { model.graph() }"
            [[ $derives != *Serialize* ]] || echo "pub fn json_$m(text: &str) -> serde_json::Result<String> { serde_json::to_string(&serde_json::from_str::<Model$m>(text)?) }"
        done
    } >"$work/$name/src/lib.rs"
}
crate plain ''
crate serde_only 'Serialize, Deserialize'
crate model_only 'DataModel'
crate both 'DataModel, Serialize, Deserialize'
names=(plain serde_only model_only both)
printf '[workspace]\nresolver = "3"\nmembers = ["plain", "serde_only", "model_only", "both"]\n' >"$work/Cargo.toml"
# The same versions as the repository's own, and its compiler.
cp "$repo/Cargo.lock" "$repo/rust-toolchain.toml" "$work/"
cd "$work"
export CARGO_INCREMENTAL=0 CARGO_TARGET_DIR=$work/target

echo 'building what they depend on'
for job in check build; do cargo $job --quiet --workspace; done

echo "load before: $(cut -d ' ' -f 1-3 /proc/loadavg 2>/dev/null || uptime)"
for ((round = 0; round < rounds; round++)); do
    for job in check build; do
        for name in "${names[@]}"; do
            touch "$name/src/lib.rs"
            start=$(date +%s%N)
            cargo $job --quiet --package "$name"
            echo "$job $name $((($(date +%s%N) - start) / 1000000))" >>times
        done
    done
done
echo "load after: $(cut -d ' ' -f 1-3 /proc/loadavg 2>/dev/null || uptime)"

echo "$models structs of $fields fields, milliseconds of cargo:"
python3 - times <<'PYTHON'
import statistics
import sys

times = {}
for line in open(sys.argv[1]):
    job, name, took = line.split()
    times.setdefault((job, name), []).append(int(took))
for (job, name), values in times.items():
    print(f"  {job} {name:<11} min {min(values)}  median {statistics.median(values):.0f}  "
          f"max {max(values)}")
for job in ("check", "build"):
    middle = {name: statistics.median(values) for (kind, name), values in times.items()
              if kind == job}
    base = middle["plain"]
    print(f"  {job}: model / serde {middle['model_only'] / middle['serde_only']:.2f}; "
          f"beyond plain structs {(middle['model_only'] - base) / (middle['serde_only'] - base):.2f}")
PYTHON
