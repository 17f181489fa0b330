package workflow

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"time"

	"inspector/workflow/asl"
)

// ErrExists is given by Start if the ID was used for something else.
var ErrExists = errors.New("an execution of that name exists, with another input or machine")

// Prepare makes the first transition of an execution, and those of what its
// start begins, for whoever writes them all in a transaction of his own and
// then calls Wake with them. The machine is as for Start; its definition must
// have been deployed or shipped in this process. Nothing is read or written.
func (e *Engine) Prepare(ref, id string, input json.RawMessage, at time.Time) ([]Transition, error) {
	e.mu.Lock()
	all := e.names
	e.mu.Unlock()
	w, err := e.resolve(all, ref)
	if err != nil {
		return nil, fmt.Errorf("prepare execution %q: %w", id, err)
	}
	m := e.known(w.Machine)
	if m == nil {
		return nil, fmt.Errorf("prepare execution %q: definition %s: %w; deploy it first", id, w.Machine, ErrNotFound)
	}
	if now := e.now(); at.Before(now) {
		at = now // the clock of events
	}
	w.ID, w.Started = id, at
	return e.first(m, &asl.Execution{}, w, input)
}

// Resolve gives the hash of the definition on which an execution of ref, as for
// Start, would begin now. Nothing is read or written.
func (e *Engine) Resolve(ref string) (hash string, err error) {
	e.mu.Lock()
	all := e.names
	e.mu.Unlock()
	w, err := e.resolve(all, ref)
	return w.Machine, err
}

// first begins the execution w, which says all that is known before, and makes
// x what it is then.
func (e *Engine) first(m *asl.Machine, x *asl.Execution, w Execution, input json.RawMessage) ([]Transition, error) {
	if w.ID == "" {
		return nil, errors.New("start an execution: it needs a name")
	}
	t := Transition{Execution: w}
	event := asl.Event{Kind: asl.Started, At: w.Started, Name: w.ID, Arn: e.arn(w), Input: input, Seed: rand.Text(), Random: mathrand.Float64()}
	if w.ParentToken != "" {
		t.Begin = append(t.Begin, Work{Execution: w.ID, Command: orphanCommand, Lane: LaneAbort, State: "start", Due: w.Started, Since: w.Started})
	}
	return e.advance(m, x, t, event)
}

// Start begins an execution, durably. ref is NAME, NAME:VERSION or NAME:ALIAS
// of a machine, or the hash that Deploy gave. The same ID with the same
// machine and input is harmless: nothing is begun twice.
func (e *Engine) Start(ctx context.Context, ref, id string, input json.RawMessage) error {
	_, err := e.start(ctx, ref, Execution{ID: id}, input)
	return err
}

// An Order asks for an execution.
type Order struct {
	Machine string // as for Start
	Name    string // empty: one is drawn
	Input   json.RawMessage
}

// StartExecution begins an execution as Step Functions does: asked for again
// while it runs, with the same input, it is given; once it has ended its name
// is used up, and the Refusal is ExecutionAlreadyExists.
func (e *Engine) StartExecution(ctx context.Context, o Order) (Execution, error) {
	if o.Name == "" {
		o.Name = strings.ToLower(rand.Text())
	} else if err := e.checkExecutionName(o.Name); err != nil {
		return Execution{}, err
	}
	if len(o.Input) == 0 {
		o.Input = json.RawMessage("{}")
	}
	if !json.Valid(o.Input) {
		return Execution{}, refuse("InvalidExecutionInput", nil, "Invalid State Machine Execution Input: it is not JSON")
	}
	x, err := e.start(ctx, o.Machine, Execution{ID: o.Name}, o.Input)
	if errors.Is(err, ErrExists) || err == nil && x.Status != asl.StatusRunning && !x.begun {
		err = refuse("ExecutionAlreadyExists", ErrExists, "Execution Already Exists: %q; names are used once", o.Name)
	}
	return x.Execution, err
}

func (e *Engine) checkExecutionName(name string) error {
	if e.options.Reserved != nil && e.options.Reserved(name) {
		return refuse("InvalidName", nil, "execution name %.100q: names of this form are kept for the line's boards", name)
	}
	return checkName("execution", name)
}

// A begunExecution is as the start made it or found it.
type begunExecution struct {
	Execution
	begun bool // just now
}

// start begins w on what ref stands for, or gives it if it began just so.
func (e *Engine) start(ctx context.Context, ref string, w Execution, input json.RawMessage) (x begunExecution, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("start execution %q: %w", w.ID, err)
		}
	}()
	all, err := e.catalogue(ctx)
	if err != nil {
		return x, err
	}
	aim, err := e.resolve(all, ref)
	if err != nil {
		return x, err
	}
	m, err := e.machine(ctx, aim.Machine)
	if err != nil {
		return x, err
	}
	aim.ID, aim.Parent, aim.ParentToken, aim.Started = w.ID, w.Parent, w.ParentToken, e.now()
	begun, err := e.beginFolded(ctx, m, aim, input)
	if errors.Is(err, ErrConflict) {
		return e.begunBefore(ctx, aim, input)
	}
	return begunExecution{begun, err == nil}, err
}

// beginFolded makes the start of w durable and keeps it folded.
func (e *Engine) beginFolded(ctx context.Context, m *asl.Machine, w Execution, input json.RawMessage) (Execution, error) {
	f := e.cache.take(w.ID)
	defer e.cache.put(f)
	x := &asl.Execution{}
	all, err := e.first(m, x, w, input)
	if err == nil {
		all, err = e.append(ctx, all[:1], all[1:])
	}
	if err != nil {
		return Execution{}, err
	}
	f.fold = fold{x: x, m: m, w: all[0].Execution, n: all[0].N}
	e.follow(f, all, nil)
	return f.w, nil
}

// begunBefore gives the execution if it began on that machine with that
// input, and ErrExists otherwise.
func (e *Engine) begunBefore(ctx context.Context, w Execution, input json.RawMessage) (begunExecution, error) {
	x, events, err := e.journal.Load(ctx, w.ID)
	if err != nil {
		return begunExecution{}, err
	}
	same := x.StateMachine == w.StateMachine && x.Parent == w.Parent && x.ParentToken == w.ParentToken && (w.StateMachine != "" || x.Machine == w.Machine)
	if !same || len(events) == 0 || !bytes.Equal(compact(events[0].Input), compact(input)) {
		return begunExecution{x, false}, ErrExists
	}
	return begunExecution{x, false}, nil
}

func compact(raw json.RawMessage) []byte {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return raw
	}
	return b.Bytes()
}
