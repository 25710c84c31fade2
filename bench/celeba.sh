#!/usr/bin/env bash
# Faces with 40 attributes and two vectors: brought in, and searched with filters.
# `--help` tells sizes and options; docs/benchmarks.md tells what is compared.
set -euo pipefail
exec python3 "$(dirname "${BASH_SOURCE[0]}")/speed" celeba "$@"
