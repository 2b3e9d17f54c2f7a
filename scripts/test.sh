#!/usr/bin/env bash
# Every test but the ones that boot virtual machines or need a browser (npm run test:vm, test:browser).
# Arguments go to `bun test`, such as --coverage or a path.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh
export PATH=$PWD/node_modules/.bin:$PATH
bun build.ts
mkdir -p node_modules/.cache/reports
exec bun test --timeout 60000 --path-ignore-patterns 'test/vm/**' --path-ignore-patterns 'test/browser/**' \
	--reporter=junit --reporter-outfile="${PORTWARD_REPORT:-node_modules/.cache/reports/test.xml}" "$@"
