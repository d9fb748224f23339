#!/usr/bin/env bash
# Train, evaluate and predict on the built-in molecules, then name the files that were written.
# usage: BIN=.venv/bin tools/demo.sh runs/demo
set -euo pipefail
cd "$(dirname "$0")/.."
: "${BIN:=.venv/bin}"
out="${1:-runs/demo}"
exec </dev/null
