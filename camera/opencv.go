package camera

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gocv.io/x/gocv"
)

// Properties of cv::VideoCapture that gocv has no names for: milliseconds, for
// the FFmpeg backend, at opening only (opencv2/videoio.hpp).
const (
	openTimeoutMsec gocv.VideoCaptureProperties = 53
	readTimeoutMsec gocv.VideoCaptureProperties = 54
)

func newVideo(name string, c Config, live bool, open func() (capture, int, error)) *video {
	return &video{
		name: name, live: live, open: open, inside: make(chan struct{}, 1),
		openTimeout: c.OpenTimeout, readTimeout: c.ReadTimeout,
	}
}

func (v *video) source() source { return source{name: v.name, live: v.live, stream: v.stream} }

// openCV opens what under the backend api. Neither error nor log tells what
// that is: it may hold a password.
func openCV(what, backend string, api gocv.VideoCaptureAPI, params ...gocv.VideoCaptureProperties) (*gocv.VideoCapture, error) {
	if !gocv.VideoRegistry.HasBackend(api) {
		return nil, fmt.Errorf("this OpenCV has no %s: install an OpenCV built with it (Debian and Ubuntu: libopencv-videoio-dev)", backend)
	}
	open := func() (*gocv.VideoCapture, error) { return gocv.VideoCaptureFileWithAPI(what, api) }
	if len(params) > 0 {
		open = func() (*gocv.VideoCapture, error) { return gocv.VideoCaptureFileWithAPIParams(what, api, params) }
	}
	c, err := open()
	if err != nil {
		if c != nil {
			c.Close()
		}
		return nil, fmt.Errorf("OpenCV's %s could not open it", backend)
	}
	return c, nil
}

// device is a V4L2 camera, with the picture size it should give.
func device(text string, c Config) (source, error) {
	path, q, err := options(text, "width", "height", "fourcc")
	if err != nil {
		return source{}, err
	}
	var want [2]int
	for i, name := range []string{"width", "height"} {
		if !q.Has(name) {
			continue
		}
		if want[i], err = strconv.Atoi(q.Get(name)); err != nil || want[i] <= 0 {
			return source{}, fmt.Errorf("camera source %s: %s %q is not a positive number", text, name, q.Get(name))
		}
	}
	code := q.Get("fourcc")
	if code != "" && len(code) != 4 {
		return source{}, fmt.Errorf("camera source %s: fourcc %q is not four letters such as MJPG", text, code)
	}
	return newVideo(text, c, true, func() (capture, int, error) {
		v, err := openDevice(path, want, code)
		return v, 0, err
	}).source(), nil
}

func openDevice(path string, want [2]int, code string) (*gocv.VideoCapture, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("open camera: %w: plug it in; ls /dev/video* shows which are there", err)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("open camera: %w: add the user to the group video (sudo usermod -aG video USER) and log in again", err)
	case err != nil:
		return nil, fmt.Errorf("open camera: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open camera: %w", err)
	}
	v, err := openCV(path, "V4L2", gocv.VideoCaptureV4L2)
	if err != nil {
		return nil, fmt.Errorf("open camera %s: %w: v4l2-ctl --list-devices shows which one captures, fuser %s who uses it", path, err, path)
	}
	if code != "" {
		v.Set(gocv.VideoCaptureFOURCC, v.ToCodec(code))
	}
	for i, p := range []gocv.VideoCaptureProperties{gocv.VideoCaptureFrameWidth, gocv.VideoCaptureFrameHeight} {
		if want[i] > 0 {
			v.Set(p, float64(want[i]))
		}
	}
	w, h := int(v.Get(gocv.VideoCaptureFrameWidth)), int(v.Get(gocv.VideoCaptureFrameHeight))
	if want[0] > 0 && w != want[0] || want[1] > 0 && h != want[1] {
		v.Close()
		return nil, fmt.Errorf("open camera %s: it gives %d x %d, not the size asked for: v4l2-ctl -d %s --list-formats-ext shows what it can", path, w, h, path)
	}
	return v, nil
}

// videoFile is a file read from its beginning, once or again and again.
func videoFile(text string, c Config) (source, error) {
	path, q, err := options(text, "mode")
	if err != nil {
		return source{}, err
	}
	m, err := mode(q, "once", "loop")
	if err != nil {
		return source{}, fmt.Errorf("camera source %s: %w", text, err)
	}
	v := newVideo(text, c, false, func() (capture, int, error) { return openVideoFile(path) })
	v.loop = m == "loop"
	return v.source(), nil
}

func openVideoFile(path string) (capture, int, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("open video: %w", err)
	case info.IsDir():
		return nil, 0, fmt.Errorf("open video %s: it is a folder: write folder:%s for the stills in it", path, path)
	case !info.Mode().IsRegular():
		return nil, 0, fmt.Errorf("open video %s: it is not a file; a V4L2 camera is named /dev/videoN", path)
	case info.Size() == 0:
		return nil, 0, fmt.Errorf("open video %s: it has 0 bytes; copy it again", path)
	}
	// An absolute path is never taken for an address or an option of FFmpeg.
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, 0, fmt.Errorf("open video: %w", err)
	}
	v, err := openCV(absolute, "FFmpeg", gocv.VideoCaptureFFmpeg)
	if err != nil {
		return nil, 0, fmt.Errorf("open video %s: %w: is it a video, and not truncated? (ffprobe shows what it is)", path, err)
	}
	count := 0
	switch strings.ToLower(filepath.Ext(path)) {
	case ".mp4", ".m4v", ".mov": // elsewhere the count is a guess from the duration
		count = max(0, int(v.Get(gocv.VideoCaptureFrameCount)))
	}
	return v, count, nil
}

// port is where a camera listens by default; empty if no camera has the scheme.
func port(scheme string) string {
	switch scheme {
	case "rtsp":
		return "554"
	case "rtsps":
		return "322"
	case "http":
		return "80"
	case "https":
		return "443"
	}
	return ""
}

// stream is a camera on the network.
func stream(text string, c Config) (source, error) {
	scheme, _, _ := strings.Cut(text, "://")
	if port(scheme) == "" {
		return source{}, fmt.Errorf("camera source %s: no scheme %q; there are rtsp, rtsps, http, https, file, folder and gstreamer", Redact(text), scheme)
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" { // its error would hold the password
		return source{}, fmt.Errorf("camera source %s is no URL such as %s://USER:PASSWORD@HOST/PATH: write special characters of the password as %%40 for @, %%2F for / and %%3A for the colon", Redact(text), scheme)
	}
	return newVideo(Redact(text), c, true, func() (capture, int, error) {
		v, err := openCV(text, "FFmpeg", gocv.VideoCaptureFFmpeg,
			openTimeoutMsec, millis(c.OpenTimeout), readTimeoutMsec, millis(c.ReadTimeout))
		if err != nil {
			return nil, 0, fmt.Errorf("open %s: %w: %s", Redact(text), err, whyNot(u))
		}
		return v, 0, nil
	}).source(), nil
}

func millis(d time.Duration) gocv.VideoCaptureProperties {
	return gocv.VideoCaptureProperties(max(1, min(d.Milliseconds(), 1<<30)))
}

// whyNot finds out what a person should look at when u could not be opened.
func whyNot(u *url.URL) string {
	address := net.JoinHostPort(u.Hostname(), port(u.Scheme))
	if u.Port() != "" {
		address = u.Host
	}
	c, err := net.DialTimeout("tcp", address, grace)
	if err != nil {
		return fmt.Sprintf("nothing answers there (%v): check power, network, address and port of the camera", err)
	}
	c.Close()
	return fmt.Sprintf("%s answers, but gives no stream: check user, password and path", address)
}

// pipeline is a GStreamer pipeline that ends in an appsink.
func pipeline(text string, c Config) (source, error) {
	text = strings.TrimSpace(text)
	name := "gstreamer:" + Redact(text)
	if !strings.Contains(text, "appsink") {
		return source{}, fmt.Errorf("camera source %s: the pipeline must end in: ! videoconvert ! video/x-raw,format=BGR ! appsink max-buffers=1 drop=true", name)
	}
	return newVideo(name, c, true, func() (capture, int, error) {
		v, err := openCV(text, "GStreamer", gocv.VideoCaptureGstreamer)
		if err != nil {
			return nil, 0, fmt.Errorf("open %s: %w: try the pipeline with gst-launch-1.0; gst-inspect-1.0 ELEMENT shows whether its package is installed", name, err)
		}
		return v, 0, nil
	}).source(), nil
}
