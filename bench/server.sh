#!/usr/bin/env bash
# A server: our loader and the Python SDK's through it, and what it adds to calls of the engine.
# `--help` tells sizes and options; docs/benchmarks.md tells what is compared.
set -euo pipefail
exec python3 "$(dirname "${BASH_SOURCE[0]}")/speed" server "$@"
