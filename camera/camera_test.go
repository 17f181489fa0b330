package camera

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"gocv.io/x/gocv"

	"inspector"
)

// scripted is a source whose attempt n runs script[n], and the last one for ever.
func scripted(live bool, script ...func(context.Context, sink) error) source {
	n := -1
	return source{name: "scripted", live: live, stream: func(ctx context.Context, out sink) error {
		n = min(n+1, len(script)-1)
		return script[n](ctx, out)
	}}
}

func fails(context.Context, sink) error { return errors.New("cable cut") }

// gives delivers one frame each period until ctx ends.
func gives(period time.Duration) func(context.Context, sink) error {
	return func(ctx context.Context, out sink) error {
		for ctx.Err() == nil {
			if err := out.deliver(ctx, still{release: func() {}}); err != nil {
				return err
			}
			sleep(ctx, period)
		}
		return context.Cause(ctx)
	}
}

// breaks delivers one frame and fails.
func breaks(ctx context.Context, out sink) error {
	return errors.Join(out.deliver(ctx, still{}), errors.New("cable cut"))
}

func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts []time.Duration
		began := time.Now()
		var log journal
		s := source{name: "scripted", live: true, stream: func(ctx context.Context, out sink) error {
			attempts = append(attempts, time.Since(began))
			if len(attempts) == 6 { // works for a while
				out.opened()
				sleep(ctx, time.Minute)
			}
			return errors.New("cable cut")
		}}
		c := newCamera(s, Config{Pause: time.Second, MaxPause: 5 * time.Second}.withDefaults(), slog.New(slog.NewTextHandler(&log, nil)))
		stop := start(t, c)
		time.Sleep(86 * time.Second)
		synctest.Wait()
		stop()
		want := "[0s 1s 3s 7s 12s 17s 1m18s 1m20s 1m24s]"
		if got := fmt.Sprint(attempts); got != want {
			t.Errorf("attempts at %s, want %s", got, want)
		}
		if got, want := log.messages(), "camera lost; camera back; camera lost"; got != want {
			t.Errorf("log: %s, want %s", got, want)
		}
		if took := time.Since(began); took != 86*time.Second {
			t.Errorf("stopping took %v", took-86*time.Second)
		}
	})
}

func TestAfter(t *testing.T) {
	for _, c := range []struct {
		name   string
		source source
		wait   time.Duration // before the trigger
		limit  time.Duration // of patience
		seq    uint64
		state  State // of the refusal, if seq is 0
	}{
		{"a frame at the trigger", scripted(true, gives(time.Second)), 10 * time.Second, 0, 11, ""},
		{"a frame after the trigger", scripted(true, gives(time.Second)), 9500 * time.Millisecond, time.Second, 11, ""},
		{"none in time", scripted(true, gives(time.Second)), 9500 * time.Millisecond, 400 * time.Millisecond, 0, Delivering},
		{"lost before", scripted(true, breaks, fails), 10 * time.Second, time.Hour, 0, Lost},
		{"lost meanwhile", scripted(true, func(ctx context.Context, out sink) error {
			out.opened()
			sleep(ctx, 11*time.Second)
			return errors.New("cable cut")
		}), 10 * time.Second, time.Hour, 0, Lost},
		{"still opening", scripted(true, func(ctx context.Context, _ sink) error { <-ctx.Done(); return ctx.Err() }), 0, time.Second, 0, Opening},
		{"what waits for its consumer is the board", scripted(false, gives(0)), time.Hour, time.Second, 1, ""},
		{"the last of a folder", scripted(false, func(ctx context.Context, out sink) error { return out.deliver(ctx, still{}) }), time.Hour, time.Second, 1, ""},
		{"no more", scripted(false, func(context.Context, sink) error { return nil }), time.Second, time.Hour, 0, Ended},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				camera := newCamera(c.source, Config{MaxAge: 1500 * time.Millisecond}.withDefaults(), silent())
				start(t, camera)
				time.Sleep(c.wait)
				synctest.Wait()
				asked := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), c.limit)
				defer cancel()
				f, err := camera.After(ctx, asked)
				var why *UnavailableError
				if errors.As(err, &why) != (c.seq == 0) || f.Seq != c.seq || c.seq == 0 && why.State != c.state {
					t.Errorf("frame %d, %v; want frame %d or state %s", f.Seq, err, c.seq, c.state)
				}
				if camera.source.live && c.seq > 0 && f.At.Before(asked) {
					t.Errorf("the frame is %v older than the trigger", asked.Sub(f.At))
				}
				if time.Since(asked) > 2*time.Second {
					t.Errorf("the answer took %v", time.Since(asked))
				}
			})
		})
	}
}

func TestStaleFramesAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		released := 0
		s := scripted(true, func(ctx context.Context, out sink) error {
			for range 2 {
				if err := out.deliver(ctx, still{release: func() { released++ }}); err != nil {
					return err
				}
				sleep(ctx, time.Minute)
			}
			<-ctx.Done()
			return ctx.Err()
		})
		c := newCamera(s, Config{MaxAge: time.Second}.withDefaults(), silent())
		start(t, c)
		time.Sleep(2 * time.Second)
		f, err := c.Next(t.Context())
		if err != nil || f.Seq != 2 {
			t.Errorf("got frame %d, %v; the first was too old", f.Seq, err)
		}
		if h := c.Health(); released != 1 || h.Dropped != 1 || h.Captured != 2 {
			t.Errorf("%d released, health %+v", released, h)
		}
		time.Sleep(3 * time.Second)
		if h := c.Health(); h.Age != 3*time.Second {
			t.Errorf("age %v", h.Age)
		}
	})
}

func TestNextOutlivesALostCamera(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCamera(scripted(true, fails, fails, gives(time.Second)), Config{}.withDefaults(), silent())
		start(t, c)
		if f, err := c.Next(t.Context()); err != nil || f.Seq != 1 {
			t.Errorf("frame %d, %v", f.Seq, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c2 := newCamera(scripted(true, fails), Config{}.withDefaults(), silent())
		if _, err := c2.Next(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Next of a consumer that stops: %v", err)
		}
	})
}

// glass is a capture that hangs where a test says.
type glass struct{ read, closed chan struct{} }

func (g *glass) Read(*gocv.Mat) bool { <-g.read; return false }
func (g *glass) Close() error        { close(g.closed); return nil }

func TestCameraThatHangs(t *testing.T) {
	hangs := map[string]func(thaw chan struct{}, g *glass) (capture, int, error){
		"opening": func(thaw chan struct{}, g *glass) (capture, int, error) { <-thaw; return g, 0, nil },
		"reading": func(thaw chan struct{}, g *glass) (capture, int, error) { g.read = thaw; return g, 0, nil },
	}
	for name, open := range hangs {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				thaw, g := make(chan struct{}), &glass{closed: make(chan struct{})}
				opens := 0
				v := newVideo("glass", Config{}.withDefaults(), true, func() (capture, int, error) {
					opens++
					return open(thaw, g)
				})
				c := newCamera(v.source(), Config{}.withDefaults(), silent())
				stop := start(t, c)
				time.Sleep(time.Hour)
				synctest.Wait()
				h := c.Health()
				if h.State != Lost || opens != 1 {
					t.Errorf("after an hour: %+v, %d opened", h, opens)
				}
				asked := time.Now()
				stop()
				if took := time.Since(asked); took > 2*grace {
					t.Errorf("stopping took %v", took)
				}
				close(thaw)
				<-g.closed // what hung closes itself once it comes back
			})
		})
	}
}

func TestStopWhileOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		thaw := make(chan struct{})
		v := newVideo("glass", Config{}.withDefaults(), true, func() (capture, int, error) { <-thaw; return nil, 0, errors.New("too late") })
		stop := start(t, newCamera(v.source(), Config{}.withDefaults(), silent()))
		time.Sleep(time.Second)
		asked := time.Now()
		stop()
		if took := time.Since(asked); took > grace {
			t.Errorf("stopping took %v", took)
		}
		close(thaw)
	})
}

func TestBuffersAreLentOnce(t *testing.T) {
	p := &pool{}
	a := p.lend(10)
	a.release()
	a.release() // must not put it on the list twice
	b, c := p.lend(10), p.lend(10)
	if &b.data[0] == &c.data[0] {
		t.Error("one buffer was lent to two frames")
	}
	if &a.data[0] != &b.data[0] {
		t.Error("a returned buffer was not lent again")
	}
	d := p.lend(20)
	b.release() // of the old size: not kept
	if e := p.lend(20); len(d.data) != 20 || len(e.data) != 20 {
		t.Errorf("buffers of %d and %d bytes", len(d.data), len(e.data))
	}
}

func TestNoPixelsAreAllocated(t *testing.T) {
	name := ramp(t, 50, "320x240")
	dir := t.TempDir()
	mustWrite(t, dir+"/a.png", flat(t, 200, 320))
	mustWrite(t, dir+"/b.png", flat(t, 100, 320))
	drawn := inspector.Pixels{Width: 64, Height: 64, Channels: 3, Stride: 192, Data: make([]byte, 64*192)}
	for _, source := range []string{"file:" + name + "?mode=loop", "folder:" + dir + "?mode=loop", "simulated"} {
		c := mustNew(t, Config{Source: secret(source), Draw: func(uint64) (inspector.Pixels, string, error) { return drawn, "", nil }})
		take := func(n int) (size int) {
			for range n {
				f := must(next(t, c))
				size = len(f.Pixels.Data)
				f.Release()
			}
			return size
		}
		size := take(20)
		const frames = 200
		perFrame := allocated(func() { take(frames) }) / frames
		if perFrame > uint64(size)/2 {
			t.Errorf("%s: %d bytes of heap a frame of %d bytes", source, perFrame, size)
		}
		t.Logf("%s: %d bytes of heap a frame of %d bytes", source[:6], perFrame, size)
	}
}
