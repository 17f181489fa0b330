#!/usr/bin/env bash
# Installs the programs that tests start, into .tools/bin; with the argument
# temporal only that server, which is large and which make test does without. A
# tool that is there in the wanted version is left alone, so this is quick the
# second time.
set -euo pipefail
cd "$(dirname "$0")/.."

# program : package@version : why
tools='
versitygw : github.com/versity/versitygw/cmd/versitygw@v1.8.0 : a real S3 server
'

[ "${1:-}" != temporal ] || tools='
temporal : github.com/temporalio/cli/cmd/temporal@v1.5.1 : a Temporal dev server, four minutes of one core
'

command -v go >/dev/null || { echo "tools: Go is missing; install it from https://go.dev/dl" >&2; exit 1; }
bin=$PWD/.tools/bin
mkdir -p "$bin"
while IFS= read -r line; do
	[ -n "$line" ] || continue
	program=${line%% : *}
	rest=${line#* : }
	package=${rest%% : *}
	mark=$bin/.$program-${package##*@}
	[ -x "$bin/$program" ] && [ -e "$mark" ] && continue
	echo "tools: building $program (${rest#* : }); a while, once"
	# Pure Go: none of the flags that are for OpenCV, and nothing from go.mod.
	env -u CGO_CPPFLAGS -u CGO_LDFLAGS GOFLAGS=-buildvcs=false CGO_ENABLED=0 GOBIN="$bin" go install "$package"
	rm -f "$bin/.$program"-*
	touch "$mark"
done <<<"$tools"
