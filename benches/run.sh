#!/bin/sh
# Builds, makes the inputs, measures, prints a table. Arguments are those of run.py.
set -eu
cd "$(dirname "$0")/.."
cargo build --release --locked -p iota
cargo build --release --locked -p iota-engine --example ceiling
exec python3 benches/run.py "$@"
