#!/bin/sh
# Every scripted session beside this file, played to the code that judges mail.
cd "$(dirname "$0")/../.." || exit 1
exec "${BUILD:-build}/tests/replay/replay" tests/replay/*.replay
