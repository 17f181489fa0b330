package camera

import (
	"context"
	"errors"
	"fmt"
)

// Probe opens the source, takes one frame and closes it again. It returns what
// came in words, or an error that says what to do. A watched folder
// passes if it can be watched.
func Probe(ctx context.Context, c Config) (string, error) {
	c = c.withDefaults()
	s, err := open(c)
	if err != nil {
		return "", err
	}
	ctx, enough := context.WithCancelCause(ctx)
	defer enough(nil)
	p := probe{enough: enough}
	if err := s.stream(ctx, &p); err != nil && !errors.Is(err, errProbed) {
		return "", err
	}
	return s.name + ": " + p.found, nil
}

var errProbed = errors.New("probed")

// probe is a sink that has enough after one still.
type probe struct {
	enough context.CancelCauseFunc
	found  string
}

func (p *probe) opened() {
	p.found = "ready, waiting for stills"
	p.enough(errProbed)
}

func (p *probe) deliver(_ context.Context, s still) error {
	if s.err != nil {
		return &BadFrameError{Name: s.name, Err: s.err}
	}
	p.found = fmt.Sprintf("%d x %d, %d channels", s.pixels.Width, s.pixels.Height, s.pixels.Channels)
	s.release()
	return errProbed
}
