#!/usr/bin/env bash
# The gate: everything that must hold before a change lands.
#
#   scripts/ok.sh             all of it
#   scripts/ok.sh untested    all but the tests, for who has just run them with coverage
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh
export PATH=$PWD/node_modules/.bin:$PATH
step() { printf '\n== %s\n' "$*"; }

step "format and lint"
biome ci --error-on-warnings .
step "types"
tsc --noEmit
if [ "${1:-}" = untested ]; then
	step "ok, but for the tests"
	exit 0
fi
step "tests with coverage"
PORTWARD_REPORT=node_modules/.cache/reports/ok.xml bash scripts/test.sh main --coverage --coverage-reporter=text --coverage-reporter=lcov
step "ok"
