package asl

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Execution is one run of a machine as its events have made it. The zero
// value has not begun. Only Machine.Advance changes it; it may be used by one
// goroutine at a time.
type Execution struct {
	name       string
	identity   identity
	machine    *Machine
	status     Status
	input      any
	output     any
	failure    stateError
	started    time.Time
	runs       int64 // map runs begun
	ended      []MapRun
	paused     bool // a timer goes on with the queue
	root       *frame
	open       map[int64]*pending
	commands   int64 // the last ID given
	history    int64 // the last ID given
	entries    int   // states entered so far
	seed       string
	draws      uint64
	current    Event          // what is being told
	events     []HistoryEvent // made by it
	unseen     bool           // nobody looks at events
	issued     []Command      // made by it
	queue      []arrival
	given      any            // the whole of $$, in a test of one state
	variables  map[string]any // that it begins with, in a test of one state
	contextual any            // Execution of $$, which changes only when it is redriven
	redrives   int
	redriven   time.Time // last
	stored     int       // bytes of all variables
}

// A frame is one run of a block: of the machine, a branch or an item.
type frame struct {
	block  *block
	parent *activity // nil: the machine itself
	index  int       // among the parent's branches or items
	item   *item     // of a Map
	child  *childRun // of a distributed Map, in whose execution the frame is
	slot   int       // among the items that run
	act    *activity
	next   arrival // what it enters next, while act is nil
	dead   bool
	done   bool  // it has its output
	last   int64 // history event before the next one of this frame

	variables map[string]any // assigned in this block; never changed, but replaced
	apart     bool           // sees no variables around it: an execution of its own
}

// An activity is one entry into one state, through all of its retries.
type activity struct {
	frame      *frame
	state      *state
	input      any // raw
	entered    int64
	at         time.Time
	retries    []int64 // by retrier
	retryCount int64
	task       int64 // command of the task, the same on every retry; 0 before the first
	await      int64
	amended    *any    // input of the task, in place of what the state makes; nil: none
	held       []int64 // commands that are open for this activity
	beat       time.Duration
	beatTimer  int64

	branches []*frame // Parallel and inline Map
	broken   []*frame // those that ran when it failed
	run      *mapRun  // distributed Map
	ran      bool     // distributed Map: a run began
	items    []any    // inline Map
	results  []any
	left     int // branches or items that have not ended
	next     int // item to start
	argument any // of branches and ItemSelector
}

type role uint8

const (
	roleTask role = iota
	roleAwait
	roleWait
	roleRetry
	roleTimeout
	roleHeartbeat
	roleExecution // the machine's own timeout
	rolePause     // goes on with what the last event left to enter
	roleReader    // of a distributed Map
	roleWriter    // of a distributed Map
)

// pending is a command that waits for its answer.
type pending struct {
	act     *activity // nil for roleExecution and rolePause
	role    role
	command Command
}

// An arrival is a state about to be entered.
type arrival struct {
	frame *frame
	state string
	input any
}

// Status is empty before the execution has begun.
func (x *Execution) Status() Status { return x.status }

// Started is when the execution began.
func (x *Execution) Started() time.Time { return x.started }

// Output is the result of an execution that succeeded; nil otherwise.
func (x *Execution) Output() json.RawMessage {
	if x.status != StatusSucceeded {
		return nil
	}
	return encode(x.output)
}

// Error is the error name of an execution that failed, timed out or was
// stopped.
func (x *Execution) Error() string { return x.failure.name }

// Cause explains Error.
func (x *Execution) Cause() string { return x.failure.cause }

// Open gives the commands that wait for an answer, by ID.
func (x *Execution) Open() []Command {
	out := make([]Command, 0, len(x.open))
	for _, p := range x.open {
		out = append(out, p.command)
	}
	slices.SortFunc(out, func(a, b Command) int { return int(a.ID - b.ID) })
	return out
}

// Command gives an open command.
func (x *Execution) Command(id int64) (Command, bool) {
	p, ok := x.open[id]
	if !ok {
		return Command{}, false
	}
	return p.command, true
}

// States gives the names of the states where the execution is, innermost
// only, in the order of branches. What the children of a distributed Map do is
// told by MapRuns.
func (x *Execution) States() []string {
	var out []string
	var visit func(f *frame)
	visit = func(f *frame) {
		if f == nil || f.dead || f.act == nil {
			return
		}
		before := len(out)
		for _, b := range inOrder(f.act.branches) {
			visit(b)
		}
		if len(out) == before {
			out = append(out, f.act.state.name)
		}
	}
	if x.status == StatusRunning {
		visit(x.root)
	}
	return out
}

// Names reports whether the state that gave the open command, or one around
// it, has a Retry or Catch with exactly this error name.
func (x *Execution) Names(command int64, errorName string) bool {
	p, ok := x.open[command]
	if !ok {
		return false
	}
	switch p.role {
	case roleReader:
		errorName = errItemReader
	case roleWriter:
		errorName = errResultWriter
	}
	for act := p.act; act != nil; act = act.frame.parent {
		for _, r := range act.state.retry {
			if slices.Contains(r.errors, errorName) {
				return true
			}
		}
		for _, c := range act.state.catch {
			if slices.Contains(c.errors, errorName) {
				return true
			}
		}
	}
	return false
}

// Token is the task token of an Await command: who holds it may answer. It
// begins with the execution's name and the command's ID, both readable, and
// ends with what only the seed of the Started event can give.
func (x *Execution) Token(command int64) string {
	id := strconv.FormatInt(command, 10)
	return x.name + "." + id + "." + hex.EncodeToString(x.mac("token", uint64(command))[:16])
}

// SplitToken gives the name of the execution and the command that a task token
// begins with; it does not say that the token is right.
func SplitToken(token string) (name string, command int64, ok bool) {
	i := strings.LastIndexByte(token, '.')
	if i < 0 {
		return "", 0, false
	}
	j := strings.LastIndexByte(token[:i], '.')
	if j < 0 {
		return "", 0, false
	}
	command, err := strconv.ParseInt(token[j+1:i], 10, 64)
	return token[:j], command, err == nil && command > 0
}

func (x *Execution) mac(what string, n uint64) []byte {
	h := hmac.New(sha256.New, []byte(x.seed))
	h.Write([]byte(what + "\x00" + x.name + "\x00"))
	h.Write(binary.BigEndian.AppendUint64(nil, n))
	return h.Sum(nil)
}

// draw gives the next bytes of the execution's own randomness: no clock or
// generator is asked, so that folding gives the same again.
func (x *Execution) draw() (out [32]byte) {
	x.draws++
	copy(out[:], x.mac("draw", x.draws))
	return out
}

// ErrMoot is given for an event that has nothing to answer: its command is
// over or never was, or the execution has ended or not begun. Nothing changed.
var ErrMoot = errors.New("the event answers nothing that is open")

// context is the context object as seen from the activity.
func (x *Execution) context(act *activity) any {
	if x.given != nil {
		return x.given
	}
	execution, machine := x.selfContext(), x.machineContext()
	if c := act.frame.child; c != nil {
		execution, machine = x.childContext(c), map[string]any{"Id": x.childMachine(c), "Name": x.childMachineName(c)}
	}
	o := map[string]any{
		"Execution":    execution,
		"StateMachine": machine,
	}
	state := map[string]any{"Name": act.state.name, "EnteredTime": rfc3339(act.at)}
	if kind := act.state.kind; kind == "Task" || kind == "Parallel" || kind == "Map" {
		state["RetryCount"] = number(act.retryCount)
	}
	o["State"] = state
	if act.state.token || act.state.sync {
		o["Task"] = map[string]any{"Token": x.Token(act.await)}
	}
	for f := act.frame; f.parent != nil; f = f.parent.frame {
		if f.parent.frame.child != f.child {
			break // what is around a child is another execution
		}
		if f.item != nil {
			o["Map"] = map[string]any{"Item": f.item.context(f.index)}
			break
		}
	}
	return o
}

func rfc3339(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// scope is what expressions of the activity see, with input as $.
func (x *Execution) scope(act *activity, input any) *scope {
	return &scope{
		input: input, raw: act.input, now: x.current.At,
		context: func() any { return x.context(act) }, draw: x.draw, variables: act.frame.variable,
	}
}

// bury ends a frame. If it did not get to its output, a redrive may have it go
// on, with its variables.
func (x *Execution) bury(f *frame) {
	if !f.dead && f.parent != nil {
		x.forget(f)
	}
	f.dead = true
}
