package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"inspector/store"
	"inspector/web"
)

// A pausedError is what a board is refused for while the line is paused.
type pausedError struct{ web.Pause }

func (e *pausedError) Error() string {
	words := fmt.Sprintf("the line is paused by %s since %s", e.By, e.At.Local().Format(time.DateTime))
	if e.Reason != "" {
		words += ": " + e.Reason
	}
	return words
}

// Subject and verbs of a pause in the audit trail, whose newest entry says
// whether the line is paused, after a restart, too.
const (
	lineSubject = "line"
	pauseVerb   = "pause"
	resumeVerb  = "resume"
)

// Pause has the line judge nothing, or go on. It is audited before it is done;
// boards that are under way keep their verdict.
func (b *backend) Pause(ctx context.Context, p web.Pause) (web.Pause, error) {
	b.line.pausing.Lock()
	defer b.line.pausing.Unlock()
	if have := b.line.paused.Load(); p.Paused && have != nil { // the first one stays
		return have.Pause, nil
	}
	p.At = time.Now().UTC()
	verb := resumeVerb
	if p.Paused {
		verb = pauseVerb
	}
	detail, err := json.Marshal(p)
	if err == nil {
		err = b.store.Audit(ctx, store.Entry{At: p.At, Who: p.By, What: verb, Subject: lineSubject, Detail: detail})
	}
	if err != nil {
		return p, meaning(err)
	}
	b.line.pause(p)
	b.line.log.Info("the line: "+verb, "by", p.By, "reason", p.Reason)
	return p, nil
}

func (l *line) pause(p web.Pause) {
	if p.Paused {
		l.paused.Store(&pausedError{p})
	} else {
		l.paused.Store(nil)
	}
}

// recallPause takes up what was said before the restart.
func (l *line) recallPause(ctx context.Context) error {
	last, err := l.store.Trail(ctx, lineSubject, 1)
	if err != nil || len(last) == 0 {
		return err
	}
	var p web.Pause
	if err := json.Unmarshal(last[0].Detail, &p); err != nil {
		return fmt.Errorf("read whether the line is paused: %w", err)
	}
	l.pause(p)
	return nil
}

// pausePart tells of a pause.
func (l *line) pausePart() (p web.Part, ok bool) {
	e := l.paused.Load()
	if e == nil {
		return p, false
	}
	return web.Part{Name: "line", State: web.Degraded, Detail: e.Error(), Remedy: `let it go on: PUT /api/v1/line with {"paused":false,"by":"NAME"}, or the same with a request at set/pause`}, true
}
