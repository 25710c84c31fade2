#!/usr/bin/env bash
# Downloading: pictures per second from a web server that misbehaves, against img2dataset.
# `--help` tells sizes and options; docs/benchmarks.md tells what is compared.
set -euo pipefail
exec python3 "$(dirname "${BASH_SOURCE[0]}")/download.py" "$@"
