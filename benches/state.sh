#!/bin/sh
# What committing matches costs: matches per second and memory. Usage: benches/state.sh [MATCHES] [DIR]
# DIR should be on the device that the state will be on; what is written there is removed at the end.
set -eu
cd "$(dirname "$0")/.."
directory=$(mktemp -d "${2:-${TMPDIR:-/tmp}}/iota-state.XXXXXX")
trap 'rm -rf "$directory"' EXIT
cargo build --release --quiet -p iota-service --example commits
target/release/examples/commits "${1:-1000000}" "$directory"
