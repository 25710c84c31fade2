#!/usr/bin/env bash
# What rows cost on their way: beside the Python SDK's loaders, and beside the engine alone.
# `--help` tells sizes and options; docs/benchmarks.md tells what is compared.
set -euo pipefail
exec python3 "$(dirname "${BASH_SOURCE[0]}")/speed" overhead "$@"
