package camera

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"inspector"
)

func TestSourcesAreUnderstood(t *testing.T) {
	draw := func(uint64) (inspector.Pixels, string, error) { return inspector.Pixels{}, "", nil }
	for _, c := range []struct {
		source string
		live   bool
		err    string // empty: understood
	}{
		{"simulated", false, ""},
		{"0", true, ""},
		{"/dev/video3", true, ""},
		{"/dev/video3?width=1920&height=1080&fourcc=MJPG", true, ""},
		{"/dev/video3?width=many", true, "positive number"},
		{"/dev/video3?fourcc=H", true, "four letters"},
		{"/dev/video3?brightness=3", true, `no option "brightness"`},
		{"folder:stills", false, ""},
		{"folder:/a b/c?mode=watch&match=*_test.png", false, ""},
		{"folder:stills?mode=never", false, "once, loop, watch"},
		{"folder:stills?match=[", false, "pattern"},
		{"folder:", false, "no path"},
		{"clip.mp4", false, ""},
		{"file:///a/clip.mp4?mode=loop", false, ""},
		{"clip.mp4?mode=watch", false, "once, loop"},
		{"rtsp://u:p@camera/live", true, ""},
		{"https://camera/live.mjpg", true, ""},
		{"rtsp:///live", true, "is no URL"},
		{"rtsp://u:se%cret@camera/live", true, "%40 for @"},
		{"ftp://u:secret@camera/live", true, `no scheme "ftp"`},
		{"gstreamer:videotestsrc ! appsink", true, ""},
		{"gstreamer:rtspsrc user-pw=secret ! autovideosink", true, "must end in"},
		{" ", false, "is empty"},
	} {
		err := Config{Source: secret(c.source), Draw: draw}.Validate()
		if c.err == "" {
			if err != nil {
				t.Errorf("%s: %v", c.source, err)
				continue
			}
			if s, _ := open(Config{Source: secret(c.source), Draw: draw}); s.live != c.live {
				t.Errorf("%s: live is %v", c.source, s.live)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %v, want one with %q and no secret", c.source, err, c.err)
		}
	}
	if err := (Config{Source: "simulated"}).Validate(); err == nil {
		t.Error("a simulated line that nobody draws was accepted")
	}
}

func TestRedact(t *testing.T) {
	for _, c := range [][2]string{
		{"rtsp://camera/live", "rtsp://camera/live"},
		{"rtsp://admin:secret@camera/live", "rtsp://***@camera/live"},
		{"rtsp://admin:s@cr/e:t@camera/live", "rtsp://***@camera/live"},
		{"http://camera/video.cgi?user=admin&pwd=secret", "http://camera/video.cgi?***"},
		{"open http://a:b@c/d?e: refused", "open http://***@c/d?*** refused"},
		{"gstreamer:rtspsrc location=rtsp://a:b@c/d user-id=admin user-pw=\"sec ret\" ! appsink",
			"gstreamer:rtspsrc location=rtsp://***@c/d user-id=*** user-pw=*** ! appsink"},
		{"folder:stills?mode=loop", "folder:stills?mode=loop"},
	} {
		if got := Redact(c[0]); got != c[1] {
			t.Errorf("%s became %s, want %s", c[0], got, c[1])
		}
	}
}

func TestVideoFileLosesNothing(t *testing.T) {
	const frames = 60
	c := mustNew(t, Config{Source: secret(ramp(t, frames, "64x48"))})
	for n := range frames {
		f, err := next(t, c)
		if err != nil {
			t.Fatalf("frame %d: %v", n, err)
		}
		if got := level(f.Pixels); f.Seq != uint64(n+1) || got < 4*n-3 || got > 4*n+3 {
			t.Fatalf("frame %d has number %d and grey level %d, want %d", n, f.Seq, got, 4*n)
		}
		f.Release()
	}
	_, err := next(t, c)
	var ended *UnavailableError
	if !errors.As(err, &ended) || ended.State != Ended || !errors.Is(err, errNoMore) {
		t.Errorf("after the last frame: %v", err)
	}
	if h := c.Health(); h.Captured != frames || h.Dropped != 0 || h.State != Ended {
		t.Errorf("health %+v", h)
	}
}

func TestVideoFileInALoop(t *testing.T) {
	c := mustNew(t, Config{Source: secret("file:" + ramp(t, 5, "64x48") + "?mode=loop")})
	for n := range 17 {
		f, err := next(t, c)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := level(f.Pixels), n%5*4; got < want-3 || got > want+3 || f.Seq != uint64(n+1) {
			t.Errorf("frame %d has number %d and grey level %d, want %d", n, f.Seq, got, want)
		}
		f.Release()
	}
}

func TestVideoFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	whole, err := os.ReadFile(ramp(t, 60, "64x48"))
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, filepath.Join(dir, "cut.mp4"), whole[:len(whole)*6/10])
	mustWrite(t, filepath.Join(dir, "empty.mp4"), nil)
	mustWrite(t, filepath.Join(dir, "text.mp4"), []byte("no video"))
	for name, want := range map[string]string{
		"cut.mp4": "truncated", "empty.mp4": "0 bytes", "text.mp4": "is it a video",
		"": "write folder:", "none.mp4": "no such file",
	} {
		c := mustNew(t, Config{Source: secret(filepath.Join(dir, name))})
		until(t, name+" is refused", func() bool {
			for len(c.frames) > 0 {
				(<-c.frames).frame.Release()
			}
			return c.Health().Error != ""
		})
		if h := c.Health(); !strings.Contains(h.Error, want) || name == "cut.mp4" && h.State != Ended {
			t.Errorf("%q: %+v, want an error with %q", name, h, want)
		}
	}
}

func TestGStreamerPipeline(t *testing.T) {
	c := Config{Source: "gstreamer:videotestsrc is-live=true ! video/x-raw,format=GRAY8,width=64,height=48 ! appsink"}
	got, err := Probe(t.Context(), c)
	if err != nil && strings.Contains(err.Error(), "has no GStreamer") {
		t.Skip(err)
	}
	if err != nil || !strings.HasSuffix(got, "64 x 48, 1 channels") {
		t.Errorf("probe: %q, %v", got, err)
	}
	c.Source = "gstreamer:nosuchelement password=secret ! appsink"
	if _, err := Probe(t.Context(), c); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("probe of an unknown element: %v", err)
	}
}

func TestNoDevice(t *testing.T) {
	_, err := Probe(t.Context(), Config{Source: "/dev/video97"})
	if err == nil || !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "plug it in") {
		t.Errorf("probe of a device that is not there: %v", err)
	}
}

func TestRecordedBoards(t *testing.T) {
	dir := recorded(t)
	want, err := filepath.Glob(filepath.Join(dir, "*_test.png"))
	if err != nil || len(want) < 20 {
		t.Fatalf("%d recorded boards: %v", len(want), err)
	}
	c := mustNew(t, Config{Source: secret("folder:" + dir + "?match=*_test.png")})
	for n, name := range want[:20] {
		f, err := next(t, c)
		if err != nil {
			t.Fatal(err)
		}
		p := f.Pixels
		if f.Name != filepath.Base(name) || f.Seq != uint64(n+1) || p.Width != 640 || p.Height != 640 || p.Channels != 1 {
			t.Fatalf("still %d is %s, %d x %d x %d; want %s", f.Seq, f.Name, p.Width, p.Height, p.Channels, name)
		}
		whole, err := Decode(must(os.ReadFile(name)), someMegapixels)
		if err != nil || !slices.Equal(whole.Data, p.Data) {
			t.Fatalf("%s differs from its file: %v", f.Name, err)
		}
		f.Release()
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// flat is a square PNG of one grey level.
func flat(t testing.TB, grey byte, side int) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, side, side))
	for i := range img.Pix {
		img.Pix[i] = grey
	}
	var b strings.Builder
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
}

func TestFolderTellsOfBadStills(t *testing.T) {
	dir := t.TempDir()
	good := flat(t, 7, 16)
	for name, data := range map[string][]byte{
		"1.png": good, "2.png": good[:len(good)-20], "3.png": nil, "4.png": []byte("text"), "5.PNG": good,
		".hidden.png": good, "notes.txt": good, "6.png": bombPNG(),
	} {
		mustWrite(t, filepath.Join(dir, name), data)
	}
	if err := os.Mkdir(filepath.Join(dir, "7.png"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := mustNew(t, Config{Source: secret("folder:" + dir + "?mode=loop")})
	for n := range 12 {
		f, err := next(t, c)
		name := []string{"1.png", "2.png", "3.png", "4.png", "5.PNG", "6.png"}[n%6]
		var bad *BadFrameError
		if wantBad := name != "1.png" && name != "5.PNG"; errors.As(err, &bad) != wantBad || err != nil && !wantBad {
			t.Errorf("%s: %v", name, err)
		}
		if f.Seq != uint64(n+1) || f.Name != name || f.At.IsZero() {
			t.Errorf("still %d: number %d, name %s, at %v", n, f.Seq, f.Name, f.At)
		}
		if bad != nil && (bad.Seq != f.Seq || bad.Name != name || f.Pixels.Data != nil) {
			t.Errorf("%s: %+v with %d bytes", name, bad, len(f.Pixels.Data))
		}
		f.Release()
	}
}

func TestFolderThatIsEmptyOrAbsent(t *testing.T) {
	dir := t.TempDir()
	for source, want := range map[string]string{
		"folder:" + dir:                         "ends in .png",
		"folder:" + dir + "/none":               "no such file",
		"folder:" + dir + "/none?mode=watch":    "must exist",
		"folder:" + dir + "?mode=loop&match=a*": "named a*",
	} {
		if _, err := Probe(t.Context(), Config{Source: secret(source)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", source, err, want)
		}
	}
}

func TestWatchedFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "in")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, filepath.Join(dir, "old.png"), flat(t, 1, 16))
	if got, err := Probe(t.Context(), Config{Source: secret("folder:" + dir + "?mode=watch")}); err != nil {
		t.Fatalf("probe: %q, %v", got, err)
	}
	c := mustNew(t, Config{Source: secret("folder:" + dir + "?mode=watch"), Pause: 10 * time.Millisecond, MaxPause: 20 * time.Millisecond})
	until(t, "it watches", func() bool { return c.Health().State == Delivering })
	expect := func(name string, grey int) {
		t.Helper()
		f, err := next(t, c)
		if err != nil || f.Name != name || level(f.Pixels) != grey {
			t.Fatalf("got %s: %v; want %s of grey level %d", f.Name, err, name, grey)
		}
		f.Release()
	}

	data := flat(t, 2, 16)
	w := must(os.Create(filepath.Join(dir, "slow.png")))
	must(w.Write(data[:len(data)/2]))
	mustWrite(t, filepath.Join(dir, "quick.png"), flat(t, 3, 16))
	expect("quick.png", 3) // and not half of slow.png
	must(w.Write(data[len(data)/2:]))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	expect("slow.png", 2)

	mustWrite(t, filepath.Join(dir, "part"), flat(t, 4, 16))
	if err := os.Rename(filepath.Join(dir, "part"), filepath.Join(dir, "moved.png")); err != nil {
		t.Fatal(err)
	}
	expect("moved.png", 4)
	mustWrite(t, filepath.Join(dir, "slow.png"), flat(t, 250, 16)) // the same name again
	expect("slow.png", 250)

	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	until(t, "it is lost", func() bool { return c.Health().State == Lost })
	mustWrite(t, filepath.Join(dir+".away", "meanwhile.png"), flat(t, 5, 16))
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	expect("meanwhile.png", 5)
	if h := c.Health(); h.Captured != 5 {
		t.Errorf("%d stills captured, want 5: old ones are none of ours", h.Captured)
	}
}

func TestSweep(t *testing.T) {
	f := &folder{dir: t.TempDir(), match: "*", maxPixels: someMegapixels, seen: map[string]stamp{"gone.png": {}}}
	var got names
	data := flat(t, 9, 16)
	mustWrite(t, filepath.Join(f.dir, "a.png"), data)
	before := must(f.sweep(t.Context(), &got, nil))
	if len(got) != 0 {
		t.Errorf("%v were taken at first sight", got)
	}
	mustWrite(t, filepath.Join(f.dir, "b.png"), data[:30])
	before = must(f.sweep(t.Context(), &got, before))
	mustWrite(t, filepath.Join(f.dir, "b.png"), data) // it grew
	before = must(f.sweep(t.Context(), &got, before))
	if want := (names{"a.png"}); !slices.Equal(got, want) {
		t.Errorf("swept %v, want %v", got, want)
	}
	before = must(f.sweep(t.Context(), &got, before))
	must(f.sweep(t.Context(), &got, before))
	if want := (names{"a.png", "b.png"}); !slices.Equal(got, want) {
		t.Errorf("swept %v, want %v", got, want)
	}
	if _, kept := f.seen["gone.png"]; kept || len(f.seen) != 2 {
		t.Errorf("remembers %v", f.seen)
	}
}

// names is a sink that notes the names of good stills.
type names []string

func (n *names) opened() {}

func (n *names) deliver(_ context.Context, s still) error {
	if s.err != nil {
		return s.err
	}
	*n = append(*n, s.name)
	return nil
}

func FuzzParseEvents(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00a.png\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		names, _, _ := parseEvents(b)
		for _, name := range names {
			if name == "" || strings.ContainsRune(name, 0) {
				t.Errorf("name %q", name)
			}
		}
	})
}

func TestSimulatedLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		buffer := make([]byte, 16) // reused, as drawing is allowed to
		c := mustNew(t, Config{Source: "simulated", Period: time.Second, Draw: func(n uint64) (inspector.Pixels, string, error) {
			switch n {
			case 2:
				return inspector.Pixels{}, "broken", io.ErrUnexpectedEOF
			case 3:
				return inspector.Pixels{Width: 4, Height: 4, Channels: 2}, "odd", nil
			}
			for i := range buffer {
				buffer[i] = byte(n)
			}
			return inspector.Pixels{Width: 3, Height: 4, Channels: 1, Stride: 4, Data: buffer}, fmt.Sprint("board ", n), nil
		}})
		began := time.Now()
		first := must(c.Next(t.Context()))
		second := must(c.Next(t.Context()))
		if level(first.Pixels) != 0 || level(second.Pixels) != 1 || second.Name != "board 1" || second.Pixels.Stride != 3 {
			t.Errorf("levels %d and %d, %+v", level(first.Pixels), level(second.Pixels), second)
		}
		if time.Since(began) != time.Second {
			t.Errorf("two boards took %v", time.Since(began))
		}
		for _, cause := range []string{io.ErrUnexpectedEOF.Error(), "2 channels"} {
			if _, err := c.Next(t.Context()); err == nil || !strings.Contains(err.Error(), cause) {
				t.Errorf("a board that could not be drawn: %v", err)
			}
		}
		time.Sleep(time.Minute) // the line waits for its consumer
		if f, err := c.Next(t.Context()); f.Seq != 5 || err != nil {
			t.Errorf("after a minute: number %d, %v", f.Seq, err)
		}
	})
}
