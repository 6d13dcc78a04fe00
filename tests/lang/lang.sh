#!/bin/sh
# Every rules file beside this one, loaded and compared with what it must say.
cd "$(dirname "$0")/../.." || exit 1
# Results must not hang on the user's locale.
LC_ALL=C
export LC_ALL
exec "${BUILD:-build}/tests/lang/lang" "$@" tests/lang/*.rules
