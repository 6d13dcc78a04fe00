#!/bin/sh
# Each fuzz target over its seeds (tests/fuzz/seeds/NAME) and over what fits it in SUITES.
cd "$(dirname "$0")/../.." || exit 1
. tests/fuzz/corpus
n=0 bad=0
for source in tests/fuzz/fuzz_*.c; do
	name=$(basename "$source" .c)
	n=$((n + 1))
	files=$(corpus "$name" | head -n 200)
	count=$(echo "$files" | grep -c .)
	# shellcheck disable=SC2086
	if "${BUILD:-build}/tests/seeds/$name" $files >/dev/null; then
		echo "ok $n - $name: $count seeds"
	else
		echo "not ok $n - $name: $count seeds"
		bad=1
	fi
done
echo "1..$n"
exit $bad
