#!/usr/bin/env bash
# From a directory to the first answer: the engine against usearch.
# `--help` tells sizes and options; docs/benchmarks.md tells what is compared.
set -euo pipefail
exec python3 "$(dirname "${BASH_SOURCE[0]}")/speed" open "$@"
