package workflow

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"inspector/workflow/asl"
)

// Options of an engine. The zero value is useful.
type Options struct {
	Grace time.Duration // for deeds begun when Run's context ends; 0 is 5 s
	Cache int           // executions kept folded in memory; 0 is 1,024

	Account string // in the ARNs that nested executions are given; empty is "inspector"

	// Emit, if given, says what the change of a STANDARD execution's status
	// begins, RUNNING at its start included: it is begun in the same commit as
	// the change. x is the execution after it, input its own, before empty at
	// the start. It must be pure, and is called from any goroutine.
	Emit func(before asl.Status, x Execution, input json.RawMessage, at time.Time) []Begin

	// Lane says which resource, as given to Handle, does the work of a task that
	// asks for resource with input: for definitions that name it otherwise. It
	// must be pure. nil: the resource itself.
	Lane func(resource string, input json.RawMessage) string

	// Reserved, if given, says which names of executions only Prepare may give:
	// an order that took one would stand in the way of what it is for.
	Reserved func(name string) bool

	// Remedy says what a person can do about a resource that nobody handles;
	// nil says that a handler must be registered.
	Remedy func(resource string) string
}

// A Task is one attempt at the work of one state.
type Task struct {
	Execution string          // the execution's ID
	Key       string          // names the effect, the same on every attempt
	State     string          // name of the state
	Resource  string          // as in the definition, without .waitForTaskToken
	Input     json.RawMessage // after Parameters
	Attempt   int             // 0 at first, then the number of the retry
	Token     string          // of a .waitForTaskToken state: who holds it may answer
}

// A Handler does the work of a task: at least once, so twice must be harmless,
// which is what Key is for. It must return soon after ctx ends. Its result is
// JSON, or nothing for null. What its error means:
//
//   - Permanent() bool is true: the work is parked until a person redrives it,
//     and no retry counts it, unless a Retry or Catch of the state, or of one
//     around it, has the error's name literally.
//   - otherwise the state fails with the error's name, and Retry and Catch
//     decide.
//
// The error's name is what its method Name() string gives, "Notify.Rejected"
// say; without one it is States.TaskFailed, and States.Timeout when the
// state's time was over. Where Answered() bool is true, whoever stands behind
// the lane did answer, and the failure does not slow the lane down. Where there is
// Postponed() time.Time, nothing was tried: the work is begun again at that
// time, a restart in between or not, and no retry counts it. All these methods
// are found through wrapped errors.
type Handler func(ctx context.Context, t Task) (json.RawMessage, error)

// An Engine drives executions on one journal. Only one engine may run on a
// journal at a time.
type Engine struct {
	journal Journal
	log     *slog.Logger
	options Options
	cache   *cache
	lanes   map[string]*lane

	mu       sync.Mutex
	machines map[string]*asl.Machine // by hash, those that this release's check lets pass
	former   map[string]*asl.Machine // likewise, of executions that began on what a release of before let pass
	names    map[string]Machine      // nil: not read yet

	holding sync.Mutex  // held while holds change
	held    atomic.Bool // the journal may hold work back

	made     time.Time  // with its monotonic reading
	changing sync.Mutex // held by whoever changes a machine
}

// New returns an engine at rest: nothing happens until Run.
func New(journal Journal, log *slog.Logger, options Options) *Engine {
	if options.Grace == 0 {
		options.Grace = 5 * time.Second
	}
	if options.Cache == 0 {
		options.Cache = 1024
	}
	if options.Remedy == nil {
		options.Remedy = func(string) string { return "register a handler, then redrive" }
	}
	if options.Lane == nil {
		options.Lane = func(resource string, _ json.RawMessage) string { return resource }
	}
	e := &Engine{journal: journal, log: log, options: options, cache: newCache(options.Cache), lanes: map[string]*lane{}, made: time.Now(), machines: map[string]*asl.Machine{}, former: map[string]*asl.Machine{}}
	e.lanes[LaneTimer] = newLane(e, LaneTimer, timers, nil)
	e.nest()
	return e
}

// timers is how many waits and retries fire at once.
const timers = 16

// Handle registers who does the work of a resource, at most concurrency at a
// time. Each resource is a lane of its own: what waits in one holds up no
// other. Call it before Run, once a resource.
func (e *Engine) Handle(resource string, concurrency int, h Handler) {
	e.lanes[resource] = newLane(e, resource, max(concurrency, 1), h)
}

// Run drives all executions of the journal until ctx ends, and returns when
// all its goroutines have: nil, as it was merely asked to stop. Deeds that
// have begun get the grace of the options; those that end in it are recorded,
// the others are repeated, with the same key, at the next start.
func (e *Engine) Run(ctx context.Context) error {
	grace, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	e.recount(ctx)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(e.options.Grace, cancel) })
	defer stop()
	e.remind(ctx)
	e.abandon(ctx)
	var running sync.WaitGroup
	for _, l := range e.lanes {
		running.Go(func() { l.run(ctx, grace) })
	}
	running.Wait()
	return nil
}

// abandon parks the work of resources that were handled when it was asked for
// and are not any more: a person sees why it waits.
func (e *Engine) abandon(ctx context.Context) {
	lanes, err := e.journal.Lanes(ctx)
	for _, lane := range lanes {
		if e.lanes[lane] != nil || lane == LaneToken || err != nil {
			continue
		}
		err = e.parkAll(ctx, lane)
	}
	if err != nil && ctx.Err() == nil {
		e.log.Error("work that nobody handles any more is not parked; it is at the next start", "err", err)
	}
}

// parkAll parks all work of a lane that nobody works on, some at a time.
func (e *Engine) parkAll(ctx context.Context, lane string) error {
	const some = 256
	for {
		due, _, err := e.journal.Due(ctx, lane, e.now().AddDate(1, 0, 0), some, false)
		if err != nil || len(due) == 0 {
			return err
		}
		for _, w := range due {
			if err := e.journal.Park(ctx, w.Execution, w.Command, e.unhandled(lane)); err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
		}
		e.log.Warn("work is parked: nobody handles its resource any more", "resource", lane, "pieces", len(due))
	}
}

// unhandled says why work of the lane waits.
func (e *Engine) unhandled(lane string) string {
	return fmt.Sprintf("nobody handles the resource %q: %s", lane, e.options.Remedy(lane))
}

// Wake tells the lanes to look at the work of transitions that somebody wrote
// to the journal.
func (e *Engine) Wake(written ...Transition) {
	for _, t := range written {
		e.wake(t.Begin)
	}
}

func (e *Engine) wake(begun []Work) {
	for _, w := range begun {
		if l := e.lanes[w.Lane]; l != nil {
			l.look()
		}
	}
}

// Deploy checks a definition and remembers it for ever under its hash, which
// Start and Prepare take. Resources that nobody handles are allowed: their
// work begins parked.
func (e *Engine) Deploy(ctx context.Context, definition []byte) (hash string, err error) {
	m, err := asl.Parse(definition)
	if err != nil {
		return "", err
	}
	if err := e.journal.Define(ctx, m.Hash(), definition); err != nil {
		return "", fmt.Errorf("remember definition %s: %w", m.Hash(), err)
	}
	e.remember(m)
	return m.Hash(), nil
}

func (e *Engine) remember(m *asl.Machine) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.machines[m.Hash()] = m
}

func (e *Engine) known(hash string) *asl.Machine {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.machines[hash]
}

// machine gives a definition compiled, from the journal if need be, for
// executions to begin on.
func (e *Engine) machine(ctx context.Context, hash string) (*asl.Machine, error) {
	if m := e.known(hash); m != nil {
		return m, nil
	}
	m, err := e.stored(ctx, hash, asl.Parse)
	if err == nil {
		e.remember(m)
	}
	return m, err
}

// begunOn gives the definition of an execution that began, even if this
// release's check refuses it.
func (e *Engine) begunOn(ctx context.Context, hash string) (*asl.Machine, error) {
	e.mu.Lock()
	m := cmp.Or(e.machines[hash], e.former[hash])
	e.mu.Unlock()
	if m != nil {
		return m, nil
	}
	m, err := e.stored(ctx, hash, asl.Restore)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.former[hash] = m
	return m, nil
}

// stored compiles a definition that the journal holds.
func (e *Engine) stored(ctx context.Context, hash string, compile func([]byte) (*asl.Machine, error)) (*asl.Machine, error) {
	definition, err := e.journal.Definition(ctx, hash)
	if errors.Is(err, ErrNotFound) {
		return nil, unfitError{fmt.Errorf("definition %s: %w; deploy it again, then redrive", hash, err)}
	}
	if err != nil {
		return nil, fmt.Errorf("read definition %s: %w", hash, err)
	}
	m, err := compile(definition)
	if err != nil {
		return nil, unfitError{fmt.Errorf("definition %s: %w", hash, err)}
	}
	return m, nil
}

// Stop aborts an execution.
func (e *Engine) Stop(ctx context.Context, id, errorName, cause string) error {
	err := e.tell(ctx, id, func(*asl.Execution) (asl.Event, error) {
		return asl.Event{Kind: asl.Stopped, Error: errorName, Cause: cause}, nil
	})
	if errors.Is(err, asl.ErrMoot) {
		return nil // it has ended: that was the wish
	}
	return err
}

// A Description is an execution with the work that waits in its name.
type Description struct {
	Execution
	Input json.RawMessage `json:"input"`
	Work  []Work          `json:"work,omitempty"`
}

// Describe gives an execution, or ErrNotFound.
func (e *Engine) Describe(ctx context.Context, id string) (Description, error) {
	x, events, err := e.journal.Load(ctx, id)
	if err != nil {
		return Description{}, fmt.Errorf("describe execution %q: %w", id, err)
	}
	d := Description{Execution: x}
	if len(events) > 0 {
		d.Input = events[0].Input
	}
	if d.Work, err = e.journal.Work(ctx, id); err != nil {
		return Description{}, fmt.Errorf("describe execution %q: %w", id, err)
	}
	return d, nil
}

// MapRuns gives the runs of the distributed Maps of an execution, by folding
// its journal anew.
func (e *Engine) MapRuns(ctx context.Context, id string) ([]asl.MapRun, error) {
	w, _, err := e.journal.Load(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("map runs of execution %q: %w", id, err)
	}
	if m, err := e.machine(ctx, w.Machine); err != nil || !m.Distributes() {
		return nil, err
	}
	f, err := e.refold(ctx, id, nil)
	if err != nil {
		return nil, fmt.Errorf("map runs of execution %q: %w", id, err)
	}
	return f.x.MapRuns(), nil
}

// History gives the events of an execution as Step Functions shows them, by
// folding its journal anew.
func (e *Engine) History(ctx context.Context, id string) ([]asl.HistoryEvent, error) {
	var out []asl.HistoryEvent
	_, err := e.refold(ctx, id, func(h []asl.HistoryEvent) { out = append(out, h...) })
	if err != nil {
		return nil, fmt.Errorf("history of execution %q: %w", id, err)
	}
	return out, nil
}
