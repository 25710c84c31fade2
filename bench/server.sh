#!/usr/bin/env bash
# Our loader and the official SDK's through the same server, round trips, and what the server costs
# beside the engine. `--help` tells sizes; docs/benchmarks.md tells what is compared.
set -euo pipefail
exec python3 "$(dirname "${BASH_SOURCE[0]}")/server.py" "$@"
