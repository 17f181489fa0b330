package temporal

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"inspector/workflow/asl"

	engine "inspector/workflow"
)

// A run is one run of the Temporal workflow: a whole execution, or a part of
// it between two continuations. Temporal lets one of its coroutines run at a
// time.
type run struct {
	ctx     workflow.Context
	start   Start
	name    string
	machine *asl.Machine
	x       asl.Execution
	journal []asl.Event
	doing   map[int64]*doing
	tasks   int // of doing
	parked  map[int64]string
	waiting []asl.Command // tasks that wait for the continuation
	changes []Change      // of the status, not told yet
	unbegun int64         // Await of a task that could not begin what it waits for
	sending int           // messages on their way to other executions, and changes
	signals []workflow.ReceiveChannel
}

// doing is a command in Temporal's hands.
type doing struct{ cancel workflow.CancelFunc }

// Execute is the workflow. It fails as the execution does, with the error's
// name as type, the cause as message and the Outcome as detail.
func Execute(ctx workflow.Context, in Start) (Outcome, error) {
	machine, err := asl.Restore([]byte(in.Definition))
	if err != nil {
		return Outcome{}, temporal.NewNonRetryableApplicationError(err.Error(), "InvalidDefinition", nil)
	}
	r := &run{
		ctx: ctx, start: in, name: workflow.GetInfo(ctx).WorkflowExecution.ID, machine: machine,
		doing: map[int64]*doing{}, parked: map[int64]string{},
	}
	if in.Parked != nil {
		r.parked = in.Parked
	}
	if err := r.listen(); err != nil {
		return Outcome{}, err
	}
	if err := r.begin(); err != nil {
		return Outcome{}, temporal.NewNonRetryableApplicationError(err.Error(), "InvalidStart", nil)
	}
	next := false
	err = workflow.Await(ctx, func() bool { next = r.mayContinue(); return next || r.ended() })
	if err != nil && !r.ended() { // somebody cancelled the workflow: asl.Stopped by another name
		err = r.tell(asl.Event{Kind: asl.Stopped, Cause: "The workflow was cancelled."})
	}
	calm, _ := workflow.NewDisconnectedContext(ctx)
	if r.ended() {
		r.report(calm)
	}
	if e := workflow.Await(calm, func() bool { return workflow.AllHandlersFinished(ctx) && r.sending == 0 }); e != nil {
		return Outcome{}, e
	}
	if next && !r.ended() {
		return Outcome{}, r.continuation()
	}
	return r.outcome(err)
}

// begin starts the execution, or takes up what the runs before have recorded.
func (r *run) begin() error {
	if r.start.Journal == nil {
		seed := ""
		if err := workflow.SideEffect(r.ctx, func(workflow.Context) any { return rand.Text() }).Get(&seed); err != nil {
			return fmt.Errorf("draw the seed: %w", err)
		}
		return r.tell(asl.Event{Kind: asl.Started, Name: r.name, Arn: r.start.arn(r.name, r.machine.Hash()), Input: r.start.Input, Seed: seed})
	}
	events, err := unpack(r.start.Journal)
	if err != nil {
		return err
	}
	for n, e := range events {
		if _, _, err := r.machine.Advance(&r.x, e); err != nil {
			return fmt.Errorf("event %d of the runs before does not fit the definition: %w", n+1, err)
		}
	}
	r.journal = events
	if r.start.Redrive {
		return r.tell(asl.Event{Kind: asl.Redriven})
	}
	for _, c := range r.x.Open() {
		if _, held := r.parked[c.ID]; !held {
			r.carryOut(c)
		}
	}
	return nil
}

// tell records one event and carries out what it asks for.
func (r *run) tell(e asl.Event) error {
	e.At, e.Random = workflow.Now(r.ctx).UTC(), r.chance(e.Seed)
	before := r.x.Status()
	_, commands, err := r.machine.Advance(&r.x, e)
	if err != nil {
		return err
	}
	r.journal = append(r.journal, e)
	for _, c := range commands {
		r.carryOut(c)
	}
	if r.x.Status() != before {
		r.changed(before, e.At)
	}
	if !r.ended() {
		workflow.SetCurrentDetails(r.ctx, strings.Join(r.x.States(), ", "))
	}
	return nil
}

// chance is uniform in [0,1) and follows from the seed: Temporal need not
// record it.
func (r *run) chance(seed string) float64 {
	if len(r.journal) > 0 {
		seed = r.journal[0].Seed
	}
	h := hmac.New(sha256.New, []byte(seed))
	h.Write(binary.BigEndian.AppendUint64([]byte("random\x00"), uint64(len(r.journal))))
	return float64(binary.BigEndian.Uint64(h.Sum(nil))>>11) / (1 << 53)
}

func (r *run) ended() bool {
	return r.x.Status() != asl.StatusRunning
}

// carryOut hands a command to Temporal. An Await needs nothing: who holds the
// token answers by an update.
func (r *run) carryOut(c asl.Command) {
	switch {
	case c.Kind == asl.Cancel:
		r.withdraw(c.ID)
		if name, ok := engine.AwaitedExecution(r.name, c); ok && r.start.Nests && c.ID != r.unbegun {
			r.abandon(name, c.ID)
		}
	case c.Kind == asl.RunTask && r.resting():
		r.waiting = append(r.waiting, c)
	case c.Kind == asl.RunTask && r.start.Nests && engine.Nests(c.Resource):
		r.do(c, r.nest)
	case c.Kind == asl.RunTask:
		r.do(c, r.task)
	case c.Kind == asl.SetTimer:
		r.do(c, r.timer)
	}
}

func (r *run) withdraw(id int64) {
	delete(r.parked, id)
	if d := r.doing[id]; d != nil {
		delete(r.doing, id)
		d.cancel()
	}
}

// do runs the command beside all others, and tells what came of it unless it
// was withdrawn.
func (r *run) do(c asl.Command, f func(workflow.Context, asl.Command) (asl.Event, error)) {
	ctx, cancel := workflow.WithCancel(r.ctx)
	d := &doing{cancel}
	r.doing[c.ID] = d
	if c.Kind == asl.RunTask {
		r.tasks++
	}
	workflow.Go(ctx, func(ctx workflow.Context) {
		e, err := f(ctx, c)
		if c.Kind == asl.RunTask {
			r.tasks--
		}
		if r.doing[c.ID] != d || temporal.IsCanceledError(err) {
			return
		}
		delete(r.doing, c.ID)
		if err == nil {
			e.Command = c.ID
			err = r.tell(e)
		}
		if err != nil && !errors.Is(err, asl.ErrMoot) {
			r.parked[c.ID] = err.Error()
		}
	})
}

func (r *run) timer(ctx workflow.Context, c asl.Command) (asl.Event, error) {
	after := max(c.Due.Sub(workflow.Now(ctx)), 0)
	err := workflow.NewTimerWithOptions(ctx, after, workflow.TimerOptions{Summary: c.State}).Get(ctx, nil)
	return asl.Event{Kind: asl.Fired}, err
}

// task has a worker do the deed. Temporal repeats it only if the worker was
// lost or stopped amid it: what a handler says is an answer, and never
// retryable. A refusal that no retry can change, and that no state names, is
// an error: a person must act.
func (r *run) task(ctx workflow.Context, c asl.Command) (asl.Event, error) {
	o := workflow.ActivityOptions{
		TaskQueue:           queue(workflow.GetInfo(ctx).TaskQueueName, r.start.home(c.Resource), c.Resource),
		StartToCloseTimeout: longest,
		HeartbeatTimeout:    r.start.lost(),
		Summary:             c.State,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: time.Minute},
	}
	if c.Timeout > 0 { // the worker's own clock is first
		o.StartToCloseTimeout = c.Timeout + r.start.lost()
	}
	in := deed{Execution: r.name, Command: c.ID, State: c.State, Input: c.Input, Attempt: c.Attempt, Token: c.Token, Timeout: c.Timeout}
	var out done
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, o), c.Resource, in).Get(ctx, &out)
	if err == nil {
		return asl.Event{Kind: asl.Succeeded, Output: out.Output}, nil
	}
	var said *temporal.ApplicationError
	if !errors.As(err, &said) || temporal.IsCanceledError(err) {
		return asl.Event{}, err
	}
	final := false
	if said.HasDetails() {
		_ = said.Details(&final) // one that cannot be read is as none
	}
	if final && !r.x.Names(c.ID, said.Type()) {
		return asl.Event{}, errors.New(said.Message())
	}
	return asl.Event{Kind: asl.Failed, Error: said.Type(), Cause: said.Message()}, nil
}

const longest = 10 * 365 * 24 * time.Hour // of a deed that has no time-out: heartbeats watch it

func (r *run) outcome(err error) (Outcome, error) {
	o := Outcome{Status: r.x.Status(), Output: r.x.Output(), Error: r.x.Error(), Cause: r.x.Cause()}
	switch {
	case err != nil:
		return o, err
	case o.Status == asl.StatusSucceeded:
		return o, nil
	case r.ctx.Err() != nil:
		return o, temporal.NewCanceledError(o)
	}
	return o, temporal.NewNonRetryableApplicationError(o.Cause, cmp.Or(o.Error, string(o.Status)), nil, o)
}
