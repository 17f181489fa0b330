#!/usr/bin/env bash
# Runs every fuzz target for FUZZTIME (30s), little of it to make inputs smaller,
# and stops at the first failure.
set -euo pipefail
grep -rhoE --include='*_test.go' --with-filename '^func Fuzz[A-Za-z0-9_]+' . | sort | while IFS=: read -r file func; do
	echo "== ${func#func } in $(dirname "$file")"
	go test -run '^$' -fuzz "^${func#func }\$" -fuzztime "${FUZZTIME:-30s}" -fuzzminimizetime 2s "$(dirname "$file")"
done
