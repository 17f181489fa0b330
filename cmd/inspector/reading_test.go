package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"inspector"
	"inspector/code"
)

// By the codes on the boards, nobody judges a board whose code was not read;
// nor does anybody once the judges are closed.
func TestNobodyJudges(t *testing.T) {
	j := stubJudges(t, stub{})
	j.codes = map[string]coding{simulatedName: codingOf(t, simulatedName, "A", code.Spot{Format: code.QR})}
	if _, err := j.take(byCode); err == nil || !strings.Contains(err.Error(), byCode) {
		t.Errorf("by code: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if _, err := j.take(""); err == nil || !strings.Contains(err.Error(), simulatedName) {
		t.Errorf("closed: %v", err)
	}
}

// What a code says goes nowhere unless it can be printed.
func TestUnprintableCode(t *testing.T) {
	j := stubJudges(t, stub{})
	white := inspector.Pixels{Width: 160, Height: 160, Channels: 1, Stride: 160, Data: bytes.Repeat([]byte{225}, 160*160)}
	px := label(t, white, "MB-1\x07")
	j.codes = map[string]coding{simulatedName: codingOf(t, simulatedName, `(?s)MB-.*`, code.Spot{Format: code.QR})}
	known, err := j.take("")
	if err != nil {
		t.Fatal(err)
	}
	for what, p := range map[string]*place{"by code": nil, "of a known recipe": &known} {
		_, r, err := j.recognise(t.Context(), p, "", px)
		if err == nil || !strings.Contains(err.Error(), `"MB-1\a"`) || r.text != "" || r.serial != "" || r.took == 0 {
			t.Errorf("%s: %+v, %v", what, r, err)
		}
	}
}

// Reading ends when the line does, and when the takt limit is over.
func TestReadingEnds(t *testing.T) {
	j := stubJudges(t, stub{})
	white := inspector.Pixels{Width: 160, Height: 160, Channels: 1, Stride: 160, Data: bytes.Repeat([]byte{225}, 160*160)}
	j.codes = map[string]coding{simulatedName: codingOf(t, simulatedName, `MB-\d`, code.Spot{Format: code.QR})}
	l, px, now := &line{judges: j}, label(t, white, "MB-1"), time.Now()
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for what, c := range map[string]struct {
		ctx      context.Context
		deadline time.Time
		want     string
	}{
		"in time":       {t.Context(), now.Add(time.Hour), ""},
		"in free run":   {t.Context(), time.Time{}, ""},
		"late":          {t.Context(), now.Add(-time.Second), "no verdict within the takt limit of 4s"},
		"while it ends": {stopped, time.Time{}, context.Canceled.Error()},
	} {
		known, err := j.take("")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []*place{nil, &known} {
			b := &job{trigger: inspector.Trigger{At: now.Add(-5 * time.Second)}, deadline: c.deadline, frame: inspector.NewFrame(1, now, px, nil), held: true}
			b.place.Store(p)
			err := l.recognise(c.ctx, b)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || (b.code.Load().text != "") != (c.want == "") {
				t.Errorf("%s: %v, %+v; want %q", what, err, b.code.Load(), c.want)
			}
		}
	}
}

// A picture that is too large to be searched wants a region.
func TestLargePicture(t *testing.T) {
	c, from := boardCode{Format: code.QR, Pattern: "A"}, origin{file: "p.yaml", lines: map[string]int{"code": 3}}
	large := inspector.Pixels{Width: 5472, Height: 3648, Channels: 1, Data: []byte{0}}
	if err := c.inside(large, from); !errors.Is(err, code.ErrLarge) || !strings.Contains(err.Error(), "p.yaml:3: code.region: it is required for pictures of 5472 x 3648") {
		t.Error(err)
	}
	for _, c.Region = range [][]int{{5000, 100, 5400, 500}, {0, 0, 2048, 2048}} {
		if err := c.inside(large, from); err != nil {
			t.Error(err)
		}
	}
}
