#!/usr/bin/env bash
# Time and bytes for each row while a database grows: the engine beside LanceDB.
# `--help` tells sizes and options; docs/benchmarks.md tells what is compared.
set -euo pipefail
exec python3 "$(dirname "${BASH_SOURCE[0]}")/speed" growth "$@"
