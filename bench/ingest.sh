#!/usr/bin/env bash
# Pictures with vectors, in batches: the engine against LanceDB.
# `--help` tells sizes and options; docs/benchmarks.md tells what is compared.
set -euo pipefail
exec python3 "$(dirname "${BASH_SOURCE[0]}")/speed" ingest "$@"
