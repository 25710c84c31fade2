#!/usr/bin/env bash
# All comparisons of speed, one after another; `--full` takes some 25 minutes on two cores.
# `--help` tells sizes and options; docs/benchmarks.md tells what is compared.
set -euo pipefail
exec python3 "$(dirname "${BASH_SOURCE[0]}")/speed" all "$@"
