#!/usr/bin/env bash
# One row a request: the engine against what the disk gives.
# `--help` tells sizes and options; docs/benchmarks.md tells what is compared.
set -euo pipefail
exec python3 "$(dirname "${BASH_SOURCE[0]}")/speed" commit "$@"
