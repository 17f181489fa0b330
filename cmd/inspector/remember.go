package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"inspector"
	"inspector/classify"
	"inspector/store"
	"inspector/workflow"
)

// settle makes r the one verdict of the board: remembered, then answered. It
// returns when the board is remembered or ctx ended.
func (l *line) settle(ctx context.Context, j *job, r classify.Result) {
	j.mu.Lock()
	defer j.mu.Unlock() // the pixels stay until the evidence is drawn
	if j.settled.Swap(true) {
		return
	}
	i := l.inspection(j, r)
	evidence, err := l.evidence(j, i)
	if err != nil {
		l.log.Error("no evidence", "inspection", i.ID, "err", err)
		i.Verdict, i.Reason = inspector.Unsure, fmt.Sprintf("%s; its picture could not be kept: %v", i.Reason, err)
	}
	l.remember(ctx, j, i, evidence)
}

// remember stores the inspection with its evidence and its execution, and
// answers. While that cannot be, the board is answered as unsure and tried
// again: the line stands still rather than forget. The caller holds j.mu.
func (l *line) remember(ctx context.Context, j *job, i inspector.Inspection, evidence []store.Evidence) {
	for pause := time.Second / 10; ; pause = min(2*pause, 5*time.Second) {
		var begun []workflow.Transition
		stored, err := l.store.Accept(context.WithoutCancel(ctx), i, evidence, func(i inspector.Inspection) (_ []workflow.Transition, err error) {
			begun, err = l.begin(i)
			return begun, err
		})
		l.setTrouble(err)
		switch {
		case err == nil:
			l.wake(begun...)
			l.finish(j, stored, nil)
			pixels := inspector.Pixels{}
			if j.held {
				pixels = j.frame.Pixels
			}
			l.seen(stored, pixels)
			return
		case errors.Is(err, store.ErrJudged): // exactly one verdict: the first
			r, err := l.store.Inspection(context.WithoutCancel(ctx), i.ID)
			l.finish(j, r.Inspection, err)
			return
		case permanent(err) && i.Reason == unmemorable:
			l.log.Error("a board has no verdict in the ledger", "inspection", i.ID, "err", err)
			l.finish(j, i, nil)
			return
		case permanent(err): // the record itself is at fault: one without anything in it
			l.log.Error("a verdict cannot be remembered; the board is unsure", "inspection", i.ID, "verdict", i.Verdict, "err", err)
			i.Verdict, i.Reason, i.Defects, i.Score, evidence = inspector.Unsure, unmemorable, nil, 0, nil
			continue
		}
		if j.done != nil && !j.answered {
			i.Verdict, i.Reason = inspector.Unsure, fmt.Sprintf("the verdict %s could not be remembered: %v", i.Verdict, err)
			if len(evidence) == 0 {
				evidence, _ = l.evidence(j, i) // a pass had needed none
			}
			l.finish(j, i, nil)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

const unmemorable = "the verdict could not be remembered"

// permanent reports whether err says that trying again cannot help.
func permanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.As(err, &p) && p.Permanent()
}

// setTrouble logs when boards cannot be remembered, and when they can again. A
// refusal is the board's trouble, not the line's.
func (l *line) setTrouble(err error) {
	if permanent(err) {
		err = nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if (err == nil) != (l.trouble == nil) {
		if err != nil {
			l.log.Error("boards cannot be remembered; the line stands still", "err", err)
		} else {
			l.log.Info("boards are remembered again")
		}
	}
	l.trouble = err
}

// troubleNow is why boards cannot be remembered at present; nil if they can.
func (l *line) troubleNow() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trouble
}

func (l *line) inspection(j *job, r classify.Result) inspector.Inspection {
	if j.id == "" {
		j.id = l.store.NextID().String()
	}
	i := inspector.Inspection{
		ID: j.id, Station: l.station, Trigger: j.trigger, Seq: j.frame.Seq, At: j.frame.At, Missed: j.missed, Still: j.frame.Name, Serial: j.trigger.Serial,
		Recipe: j.recipe, Verdict: r.Verdict, Reason: r.Reason, Score: r.Score, Defects: r.Defects, LeftOut: r.LeftOut, Lay: r.Lay,
		Width: j.frame.Pixels.Width, Height: j.frame.Pixels.Height, Timings: r.Timings,
	}
	if p := j.place.Load(); p != nil {
		i.Recipe, i.Model, i.Runtime = p.name, p.pkg.ID(), p.label()
	} else { // nobody has judged it
		i.Model, i.Runtime = l.judges.now(j.recipe)
	}
	if c := j.code.Load(); c != nil {
		i.Code, i.Serial, i.Timings.Code = c.text, cmp.Or(i.Serial, c.serial), c.took
	}
	if i.At.IsZero() {
		i.At = j.trigger.At
	}
	return i
}

// evidence is the picture that the inspection needs. The caller holds j.mu.
func (l *line) evidence(j *job, i inspector.Inspection) ([]store.Evidence, error) {
	if !j.held || i.Verdict == inspector.Pass && !(l.passes && l.room.passes()) {
		return nil, nil
	}
	image, err := classify.JPEG(j.frame.Pixels, l.quality)
	if err != nil {
		return nil, err
	}
	return []store.Evidence{{Kind: "image", Type: "image/jpeg", Data: image}}, nil
}
