#!/usr/bin/env bash
# Embedding: pictures and texts a second, against plain Python, fastembed, and the cores' own limit.
# `--help` tells sizes and options; docs/benchmarks.md tells what is compared.
set -euo pipefail
exec python3 "$(dirname "${BASH_SOURCE[0]}")/speed" embed "$@"
