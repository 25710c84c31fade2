#!/usr/bin/env bash
# From an empty directory to the first correct search: ./demo, step by step.
# `--help` tells options; docs/benchmarks.md tells what is compared.
set -euo pipefail
exec python3 "$(dirname "${BASH_SOURCE[0]}")/first.py" "$@"
