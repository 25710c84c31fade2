#!/usr/bin/env bash
# Nearest neighbours: the engine against memory, faiss, hnswlib and LanceDB.
# `--help` tells sizes and options; docs/benchmarks.md tells what is compared.
set -euo pipefail
exec python3 "$(dirname "${BASH_SOURCE[0]}")/speed" knn "$@"
