#!/usr/bin/env bash
# Brings ONNX Runtime's shared library to .cache/onnxruntime, checked by its
# sha256. The npm package onnxruntime-node carries it for Linux on x64 and
# arm64; nothing of that package is run. A checked library is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."

version=1.24.3
case "$(uname -s)-$(uname -m)" in
Linux-x86_64) arch=x64 sum=92ba8e44d31b80a34f5e805076a044122c3be1fffe0d88ed790de7267b0b2682 ;;
Linux-aarch64) arch=arm64 sum=33032cb5b91c12edbf028d7c69fa40a31848d66c0095448758af237d5e0b07db ;;
*) echo "onnxruntime: no library for $(uname -s) on $(uname -m)" >&2; exit 1 ;;
esac
dir=.cache/onnxruntime
lib=$dir/libonnxruntime.so.$version

is_right() { echo "$sum  $1" | sha256sum --check --status 2>/dev/null; }

# The size and time that were checked are remembered: 35 MB need not be hashed
# at every build.
stamp() { stat -c '%s %Y' "$lib"; }
if [ -e "$lib" ] && [ "$(cat "$lib.checked" 2>/dev/null)" = "$(stamp)" ]; then
	exit 0
fi
mkdir -p "$dir"
if [ -e "$lib" ] && is_right "$lib"; then
	stamp >"$lib.checked"
	exit 0
fi

if ! command -v npm >/dev/null; then
	cat >&2 <<-END
	onnxruntime: npm is missing, which would bring the library (86 MB). Either
	  apt-get install --no-install-recommends npm     and run this again, or
	  take libonnxruntime.so.1 from the package onnxruntime-node@$version (bin/napi-v6/linux/$arch)
	  and put it at $lib (sha256 $sum)
	END
	exit 1
fi
echo "onnxruntime: fetching version $version for $arch (86 MB, once)"
work=$(mktemp -d "$dir/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
npm pack "onnxruntime-node@$version" --ignore-scripts --silent --pack-destination "$work" >/dev/null
tar -xzf "$work/onnxruntime-node-$version.tgz" -C "$work" "package/bin/napi-v6/linux/$arch/libonnxruntime.so.1"
got=$work/package/bin/napi-v6/linux/$arch/libonnxruntime.so.1
if ! is_right "$got"; then
	echo "onnxruntime: the library has sha256 $(sha256sum <"$got" | cut -d' ' -f1) where $sum is right; it was not kept" >&2
	exit 1
fi
mv -f "$got" "$lib"
stamp >"$lib.checked"
