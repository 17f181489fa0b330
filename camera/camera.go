// Package camera turns cameras, video files, folders of stills and the
// simulated line into frames. It is one of the doors to OpenCV.
package camera

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"inspector"
)

// Config says where frames come from and how long to wait for them. A zero
// duration or limit means the default named beside it.
type Config struct {
	// Source is one of
	//
	//	simulated                                 boards drawn by Draw, one each Period
	//	folder:PATH?mode=once|loop|watch&match=*.png  stills in the order of their names
	//	PATH, file:PATH?mode=once|loop            a video file
	//	0, /dev/video0?width=W&height=H&fourcc=MJPG   a V4L2 device
	//	rtsp://…, rtsps://…, http://…, https://…  a network camera
	//	gstreamer:PIPELINE                        ending in appsink
	//
	// Stills, video files and the simulated line wait for their consumer and
	// lose nothing; the others deliver what the camera sees now.
	Source inspector.Secret

	// Draw draws still n, counted from 0, for the source simulated. It may
	// reuse its buffer: the pixels are copied before it is called again.
	Draw   func(n uint64) (p inspector.Pixels, name string, err error)
	Period time.Duration // between drawn stills; 0: as fast as they are taken

	OpenTimeout time.Duration // until the first frame, default 10 s
	ReadTimeout time.Duration // between frames of a live camera or video, default 5 s
	MaxAge      time.Duration // live frames older than this are refused, default 2 s
	Pause       time.Duration // before the first reconnection, doubled up to MaxPause, default 500 ms
	MaxPause    time.Duration // default 30 s
	MaxPixels   int           // of a still, width times height, default 64 million
}

func (c Config) withDefaults() Config {
	c.OpenTimeout = cmp.Or(c.OpenTimeout, 10*time.Second)
	c.ReadTimeout = cmp.Or(c.ReadTimeout, 5*time.Second)
	c.MaxAge = cmp.Or(c.MaxAge, 2*time.Second)
	c.Pause = cmp.Or(c.Pause, 500*time.Millisecond)
	c.MaxPause = max(c.Pause, cmp.Or(c.MaxPause, 30*time.Second))
	c.MaxPixels = cmp.Or(c.MaxPixels, 64_000_000)
	return c
}

// Validate reports whether Source can be understood. It opens nothing.
func (c Config) Validate() error {
	_, err := open(c.withDefaults())
	return err
}

// Camera captures frames from one source.
type Camera struct {
	source  source
	config  Config
	log     *slog.Logger
	frames  Latest[captured]
	seq     uint64 // owned by the goroutine of Run
	mu      sync.Mutex
	health  Health
	err     error
	changed chan struct{}
}

// captured is a frame, or why a still could not become one.
type captured struct {
	frame inspector.Frame
	err   error
}

// New returns a camera at rest: nothing is opened until Run.
func New(c Config, log *slog.Logger) (*Camera, error) {
	c = c.withDefaults()
	s, err := open(c)
	if err != nil {
		return nil, err
	}
	return newCamera(s, c, log), nil
}

func newCamera(s source, c Config, log *slog.Logger) *Camera {
	return &Camera{
		source: s, config: c, log: log, frames: NewLatest[captured](),
		health:  Health{Source: s.name, State: Opening, Since: time.Now()},
		changed: make(chan struct{}),
	}
}

// Run captures until ctx ends or the source has no more, and may be called
// once. A lost camera is not an error: it is opened again and again. Run
// returns promptly even while OpenCV hangs; the one goroutine inside OpenCV
// then lives until that call returns, and closes what it opened.
func (c *Camera) Run(ctx context.Context) error {
	wait := c.config.Pause
	for ctx.Err() == nil {
		began := time.Now()
		err := c.source.stream(ctx, c)
		if ctx.Err() != nil {
			break
		}
		if err == nil || permanent(err) {
			c.end(err)
			return nil
		}
		if before := c.enter(Lost, err); before != Lost {
			c.log.Warn("camera lost", "source", c.source.name, "err", err)
		}
		if time.Since(began) > c.config.MaxPause {
			wait = c.config.Pause // it had worked: begin anew
		}
		sleep(ctx, wait)
		wait = min(2*wait, c.config.MaxPause)
	}
	c.enter(Ended, errors.New("it was asked to stop"))
	return nil
}

func (c *Camera) end(err error) {
	if c.enter(Ended, cmp.Or(err, errNoMore)); err != nil {
		c.log.Error("camera ended", "source", c.source.name, "err", err)
		return
	}
	c.log.Info("camera ended", "source", c.source.name, "captured", c.seq)
}

// opened notes that the source works.
func (c *Camera) opened() {
	switch c.enter(Delivering, nil) {
	case Opening:
		c.log.Info("camera delivering", "source", c.source.name)
	case Lost:
		c.log.Info("camera back", "source", c.source.name)
	}
}

// deliver numbers s and hands it to the consumer. Only a source that is not
// live waits for that; deliver then fails if ctx ends.
func (c *Camera) deliver(ctx context.Context, s still) error {
	c.opened()
	c.seq++
	if s.at.IsZero() {
		s.at = time.Now()
	}
	v := captured{frame: inspector.NewFrame(c.seq, s.at, s.pixels, s.release)}
	v.frame.Name = s.name
	if s.err != nil {
		v.err = &BadFrameError{Seq: c.seq, Name: s.name, Err: s.err}
	}
	c.mu.Lock()
	c.health.Captured, c.health.Last = c.seq, s.at
	c.mu.Unlock()
	if !c.source.live {
		err := c.frames.PutWait(ctx, v)
		if err != nil {
			v.frame.Release()
		}
		return err
	}
	if old, lost := c.frames.Put(v); lost {
		c.drop(old.frame)
	}
	return nil
}

// permanent reports whether err says that trying again cannot help.
func permanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.As(err, &p) && p.Permanent()
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
