#!/usr/bin/env bash
# Installs the Debian or Ubuntu packages that are missing: `setup.sh run` for
# what builds and runs the appliance, `setup.sh test` for what its tests start,
# `setup.sh bench` for what it is measured beside, `setup.sh soak` for what cuts
# its power.
set -euo pipefail

# package : why
run='
g++ : compiles the bridge between Go and OpenCV
ca-certificates : trust for HTTPS, MQTTS and S3
libopencv-core-dev : pictures (OpenCV)
libopencv-imgproc-dev : scaling, colour, drawing (OpenCV)
libopencv-imgcodecs-dev : JPEG and PNG (OpenCV)
libopencv-videoio-dev : cameras, video files, RTSP (OpenCV)
'
test='
mosquitto : a real MQTT broker
mosquitto-clients : a real MQTT subscriber
ffmpeg : makes the video files
pkg-config : finds the RTSP server library
libgstrtspserver-1.0-dev : a real RTSP server
gstreamer1.0-plugins-base : GStreamer pipelines
gstreamer1.0-plugins-good : RTP for the RTSP server
gstreamer1.0-plugins-ugly : H.264 for the RTSP server
chromium-headless-shell : a real browser for the page
fonts-dejavu-core : letters for the browser
'
bench='
python3-opencv : the same loop in Python, OpenCV dnn
'

soak='
e2fsprogs : file systems whose power is cut (ext4)
xfsprogs : the same (XFS)
'

lib=.cache/onnxruntime/libonnxruntime.so.1.24.3
case "${1:-}" in
run)
	list=$run
	# npm is the client that brings ONNX Runtime's library; not needed once it is there.
	if [ ! -e "${INSPECTOR_ONNXRUNTIME:-$lib}" ] && ! command -v npm >/dev/null; then
		list="$list
npm : brings the ONNX Runtime library (the fast runtime)"
	fi
	;;
test) list=$test ;;
bench) list=$bench ;;
soak) list=$soak ;;
*) echo "usage: setup.sh run|test|bench|soak" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null; then
	echo "setup: this is not Debian or Ubuntu; install what the list at the top of scripts/setup.sh names and run make again" >&2
	exit 1
fi

missing=()
while IFS= read -r line; do
	[ -n "$line" ] || continue
	package=${line%% : *}
	if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
		missing+=("$package")
		echo "setup: $package is missing (${line#* : })"
	fi
done <<<"$list"
[ ${#missing[@]} -gt 0 ] || exit 0

sudo=()
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || { echo "setup: run as root: apt-get install --no-install-recommends ${missing[*]}" >&2; exit 1; }
	sudo=(sudo)
fi
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
