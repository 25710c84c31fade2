#!/usr/bin/env bash
# The most memory that an ingestion takes: of 10,000 rows, and of 1,000,000, with files of 50 MB
# among them. `memory.sh ROWS ROWS …` measures other numbers of rows. Each is a process of its own.
# The directory for temporary files needs 150 MB for a million rows.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cargo build --quiet --release --package adb-bench --bin memory
target=${CARGO_TARGET_DIR:-target}
for rows in "${@:-10000 1000000}"; do
    for n in $rows; do
        "$target/release/memory" --rows "$n"
    done
done
