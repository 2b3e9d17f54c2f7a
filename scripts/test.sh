#!/usr/bin/env bash
# Runs a suite of tests against a build of the sources as they are:
#
#   scripts/test.sh main        everything but those below
#   scripts/test.sh browser     what needs a browser
#   scripts/test.sh containers  what runs container engines
#   scripts/test.sh ansible     the Ansible role
#   scripts/test.sh vm          what boots virtual machines
#   scripts/test.sh release     the packages of release/VERSION, made when it is not there
#
# Further arguments go to `bun test`, such as --coverage or a path. The results
# are written as JUnit XML to $PORTWARD_REPORT; those of the tests that run alone
# in a file beside it, whose name ends in -alone.xml. With $PORTWARD_SEED property
# tests try what they tried in the run that printed that seed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# What measures how soon something is done, or how much of a flood is lost: nothing else may run meanwhile.
alone=(test/system/load/*.test.ts)
# Bun starts those first that it is told to take longest, and before them those that it is told nothing of.
slow_first() {
	find test -name '*.test.ts' | awk '
		BEGIN { printf "{ \"version\": 1, \"files\": {" }
		FILENAME != "-" { if ($0 !~ /^#/) left[$0] = 1000 - FNR; next }
		{ printf "%s\n\"%s\": %d", comma, $0, 1 + left[$0]; comma = "," }
		END { print " } }" }
	' scripts/slow-tests.txt -
}
suite=${1:-main}
shift || true
what=() suites=()
case $suite in
main)
	bash scripts/setup.sh
	limit=180000
	# A process for each core and two for those that wait, at most four: a file has one to itself. More would be in each
	# other's way, as many send packets.
	cores=$(nproc)
	what=(--parallel=$((cores < 3 ? cores + 2 : 4)) --path-ignore-patterns 'test/vm/**' --path-ignore-patterns 'test/browser/**'
		--path-ignore-patterns 'test/containers/**' --path-ignore-patterns 'test/ansible/**' --path-ignore-patterns 'test/release/**'
		--timings=node_modules/.cache/timings.json)
	mkdir -p node_modules/.cache
	slow_first >node_modules/.cache/timings.json
	;;
browser)
	bash scripts/setup.sh browser
	limit=180000
	suites=(test/browser)
	;;
ansible)
	bash scripts/setup.sh ansible
	limit=900000
	suites=(test/ansible)
	;;
containers)
	bash scripts/setup.sh containers
	limit=300000
	# Engines have nothing in common, and mostly wait for packets that are dropped.
	what=(--parallel=$(($(nproc) < 2 ? 1 : 2)))
	suites=(test/containers)
	;;
release)
	bash scripts/setup.sh checkers
	limit=600000
	suites=(test/release)
	;;
vm)
	bash scripts/setup.sh
	sh scripts/setup-vm.sh
	limit=900000
	suites=(test/vm)
	;;
*)
	echo "test: no suite $suite" >&2
	exit 64
	;;
esac
export PATH=$PWD/node_modules/.bin:$PATH
# Whether dist/portward was built of these sources, as it was where another suite has run before.
built() {
	[ -x dist/portward ] || return 1
	local parts=(src ffi scripts build.ts package.json package-lock.json tsconfig.json node_modules/.package-lock.json) commit
	[ -z "$(find "${parts[@]}" -newer dist/portward -print -quit)" ] || return 1
	commit=$(git rev-parse HEAD 2>/dev/null) && [[ $(dist/portward version) == *"${commit:0:12}"* ]]
}
if ! built; then bun build.ts; fi
report=${PORTWARD_REPORT:-node_modules/.cache/reports/$suite.xml}
mkdir -p "$(dirname "$report")"
rm -f "$report" "${report%.xml}-alone.xml"
run() {
	local out=$1
	shift
	bun test ${PORTWARD_SEED:+--preload=./test/support/seed.ts} --timeout $limit "$@" --reporter=junit --reporter-outfile="$out"
}
paths=0
for argument in "$@"; do [[ $argument == -* ]] || paths=1; done
[ $paths = 1 ] || set -- "${suites[@]}" "$@"
if [ "$suite" != main ] || [ $paths = 1 ]; then
	run "$report" "${what[@]}" "$@"
	exit
fi
status=0
run "$report" "${what[@]}" "${alone[@]/#/--path-ignore-patterns=}" "$@" || status=$?
run "${report%.xml}-alone.xml" "${alone[@]}" || status=$?
exit $status
