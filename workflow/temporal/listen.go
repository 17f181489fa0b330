package temporal

import (
	"crypto/subtle"
	"encoding/json"
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"inspector/workflow/asl"

	engine "inspector/workflow"
)

// Names of what the workflow listens to.
const (
	queryJournal    = "journal"   // (from int) gives a page
	updateAnswer    = "answer"    // (answer) of who holds a task token; durable when it returns
	signalHeartbeat = "heartbeat" // (token string)
	signalStop      = "stop"      // (stop)
	signalRedrive   = "redrive"   // () what is parked is tried again, with the same keys
	signalEnded     = "ended"     // (answer) of an execution that a task waits for
)

// Types of the errors of updateAnswer.
const (
	typeInvalid = "InvalidToken"
	typeClosed  = "TaskTimedOut" // as Step Functions calls it
)

// An answer is what the holder of a token says: success or failure.
type answer struct {
	Token  string          `json:"token"`
	Failed bool            `json:"failed,omitempty"`
	Output json.RawMessage `json:"output,omitempty"`
	Error  string          `json:"error,omitempty"`
	Cause  string          `json:"cause,omitempty"`
}

type stop struct {
	Error string `json:"error,omitempty"`
	Cause string `json:"cause,omitempty"`
	Of    *deed  `json:"of,omitempty"` // only what was begun by this task of another execution
}

// A page is a part of the journal; folding all of it gives the execution.
type page struct {
	Start  *Start           `json:"start,omitempty"` // on the first page, without journal and input
	Events []asl.Event      `json:"events"`
	Total  int              `json:"total"`
	Parked map[int64]string `json:"parked,omitempty"`
}

// pageBytes bounds a page about so: a Temporal cluster answers queries with at
// most 2 MB.
const pageBytes = 1 << 20

func (r *run) listen() error {
	if err := workflow.SetQueryHandler(r.ctx, queryJournal, r.page); err != nil {
		return err
	}
	o := workflow.UpdateHandlerOptions{Validator: func(_ workflow.Context, a answer) error { return r.refusal(a) }}
	if err := workflow.SetUpdateHandlerWithOptions(r.ctx, updateAnswer, r.answered, o); err != nil {
		return err
	}
	o.Validator = func(_ workflow.Context, a amendment) error { return r.unamendable(a) }
	if err := workflow.SetUpdateHandlerWithOptions(r.ctx, updateAmend, r.amended, o); err != nil {
		return err
	}
	onSignal(r, signalHeartbeat, func(token string) {
		if id := r.awaits(token); id != 0 {
			_ = r.tell(asl.Event{Kind: asl.Heartbeat, Command: id}) // it is open: nothing can be wrong
		}
	})
	onSignal(r, signalStop, func(s stop) {
		if s.Of != nil && !engine.AwaitedBy(s.Of.Execution, s.Of.Command, r.start.ParentToken) {
			return
		}
		_ = r.tell(asl.Event{Kind: asl.Stopped, Error: s.Error, Cause: s.Cause}) // moot: it has ended
	})
	onSignal(r, signalRedrive, func(any) { r.redrive() })
	onSignal(r, signalEnded, func(a answer) { _ = r.answered(r.ctx, a) }) // refused: nobody waits any more
	return nil
}

func onSignal[T any](r *run, name string, f func(T)) {
	c := workflow.GetSignalChannel(r.ctx, name)
	r.signals = append(r.signals, c)
	workflow.Go(r.ctx, func(ctx workflow.Context) {
		for {
			var v T
			if !c.Receive(ctx, &v) {
				return
			}
			f(v)
		}
	})
}

func (r *run) page(from int) (page, error) {
	p := page{Total: len(r.journal), Parked: r.parked}
	if from == 0 {
		start := r.start
		start.Input, start.Journal, start.Parked, start.Redrive = nil, nil, nil, false
		p.Start = &start
	}
	size := 0
	for _, e := range r.journal[min(max(from, 0), len(r.journal)):] {
		size += len(e.Input) + len(e.Output) + len(e.Cause) + 200
		if size > pageBytes && len(p.Events) > 0 {
			break
		}
		p.Events = append(p.Events, e)
	}
	return p, nil
}

// awaits gives the open command of a token; 0 is none.
func (r *run) awaits(token string) int64 {
	for _, c := range r.x.Open() {
		if c.Kind == asl.Await && subtle.ConstantTimeCompare([]byte(c.Token), []byte(token)) == 1 {
			return c.ID
		}
	}
	return 0
}

// refusal says why an answer is not taken. It is asked before the answer is
// recorded, and changes nothing.
func (r *run) refusal(a answer) error {
	if r.awaits(a.Token) != 0 {
		return nil
	}
	if _, command, ok := asl.SplitToken(a.Token); !ok || subtle.ConstantTimeCompare([]byte(r.x.Token(command)), []byte(a.Token)) != 1 {
		return temporal.NewNonRetryableApplicationError("the task token is not valid", typeInvalid, nil)
	}
	return temporal.NewNonRetryableApplicationError("the task of this token is over", typeClosed, nil)
}

func (r *run) answered(_ workflow.Context, a answer) error {
	if err := r.refusal(a); err != nil { // another answer came in between
		return err
	}
	e := asl.Event{Kind: asl.Succeeded, Command: r.awaits(a.Token), Output: a.Output}
	if a.Failed {
		e = asl.Event{Kind: asl.Failed, Command: e.Command, Error: a.Error, Cause: a.Cause}
	}
	return r.tell(e)
}

// redrive tries again what is parked, in the order of commands.
func (r *run) redrive() {
	open := slices.DeleteFunc(r.x.Open(), func(c asl.Command) bool { return r.parked[c.ID] == "" })
	for _, c := range open {
		delete(r.parked, c.ID)
		r.carryOut(c)
	}
}
