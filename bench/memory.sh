#!/usr/bin/env bash
# The most memory that an ingestion takes: of 10,000 rows, and of 1,000,000, without large files and
# with 40 files of 50 MB among them. What is aimed at is that the number of rows makes no difference;
# how many of the large files are in flight at once (five or six) does.
# `memory.sh ROWS ROWS …` measures other numbers of rows. Each is a process of its own.
# The directory for temporary files needs 150 MB for a million rows.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cargo build --quiet --release --package adb-bench --bin memory
target=${CARGO_TARGET_DIR:-target}
[ $# -gt 0 ] || set -- 10000 1000000
for large in 0 40; do
    for rows in "$@"; do
        "$target/release/memory" --rows "$rows" --large "$large"
    done
done
