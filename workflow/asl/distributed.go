package asl

import (
	"errors"
	"io"
	"time"
)

const (
	errItemReader   = "States.ItemReaderFailed"
	errResultWriter = "States.ResultWriterFailed"
	errThreshold    = "States.ExceedToleratedFailureThreshold"
)

// A distributed says what a Map has that runs its items as executions of
// their own. Those children live in their parent's execution, as frames with a
// context object, a history numbering and limits of their own: their events
// are not in the parent's history.
type distributed struct {
	label   string
	express bool // the children are EXPRESS
	reader  *itemReader
	batcher *itemBatcher
	writer  *resultWriter
}

// maxChildren bounds the children of a map run that run together.
const maxChildren = 1_000

// A childRun is one run of a distributed Map's processor, for an item or a batch.
type childRun struct {
	run        *mapRun
	index      int // among the children
	items      int // that it has
	name       string
	input      any
	started    time.Time
	history    int64
	entries    int
	contextual any
}

// A mapRun is one attempt at a distributed Map.
type mapRun struct {
	id      string // a UUID
	act     *activity
	started time.Time
	ended   bool

	reader     *itemReader  // with its CSVHeaders evaluated
	arguments  any          // of the reader
	files      []location   // that the reader has still to read
	columns    []string     // of an inventory's files
	listed     []any        // what it has listed so far
	parts      []itemStream // what it has read so far
	read       int          // bytes of text
	from       string       // Source of what is being read
	manifested bool         // the manifest is read

	part      int // that items come from
	left      int // items to take, bounded by MaxItems
	held      *item
	batch     batchLimits
	taken     int // items that children were begun with, also the next Index
	atOnce    int
	children  int // begun
	running   map[int]*frame
	tolerated tolerance
	counts    MapRun
	out       *writing
	failure   *stateError // that ended it, while the results are being written
}

// mapRun begins a run whose configuration is evaluated.
func (x *Execution) mapRun(act *activity, atOnce int64, limit tolerance, input any) *mapRun {
	d := act.state.distributed
	r := &mapRun{act: act, started: x.current.At, running: map[int]*frame{}, tolerated: limit, atOnce: maxChildren}
	if atOnce > 0 {
		r.atOnce = int(min(atOnce, maxChildren))
	}
	x.runs++
	r.id = uuid([32]byte(x.mac("mapRun", uint64(x.runs))))
	r.counts = MapRun{ID: r.id, State: act.state.name, Label: d.label, Status: StatusRunning, Started: r.started}
	act.run, act.ran, act.argument = r, true, input
	x.emit(act.frame, HistoryEvent{Type: "MapRunStarted", MapRun: x.mapRunArn(r)})
	return r
}

// startDistributed begins a run with the items, or by asking the reader.
func (x *Execution) startDistributed(act *activity, list []any, atOnce int64, limit tolerance, input any) {
	r := x.mapRun(act, atOnce, limit, input)
	err := x.configure(r, input)
	if err == nil && act.state.distributed.reader != nil {
		err = x.startReader(r, input)
	} else if err == nil {
		r.parts = []itemStream{listed(list, "STATE_DATA")}
		err = x.startItems(r)
	}
	if err != nil {
		x.failRun(r, err)
	}
}

// configure evaluates what the batcher and the writer need.
func (x *Execution) configure(r *mapRun, input any) (err error) {
	if r.batch, err = x.batchLimits(r.act, input); err == nil {
		r.out, err = x.writing(r.act, input)
	}
	return err
}

// startItems begins the children once all items are known.
func (x *Execution) startItems(r *mapRun) error {
	r.counts.Reading = false
	for _, p := range r.parts {
		r.left += p.total
	}
	if d := r.act.state.distributed; d.reader != nil {
		most, err := x.maxItems(r)
		if err != nil {
			return err
		}
		if most > 0 {
			r.left = int(min(most, int64(r.left)))
		}
	}
	r.counts.Total = r.left
	return x.fill(r)
}

// take gives the next item, nil at the end.
func (r *mapRun) take() (*item, error) {
	if it := r.held; it != nil {
		r.held = nil
		return it, nil
	}
	for r.left > 0 && r.part < len(r.parts) {
		v, key, err := r.parts[r.part].next()
		switch {
		case errors.Is(err, io.EOF):
			r.parts[r.part].next = nil
			r.part++
			continue
		case err != nil:
			return nil, err
		}
		r.left--
		return &item{v, key, r.parts[r.part].source}, nil
	}
	r.parts, r.left = nil, 0
	return nil, nil
}

// fill begins children until as many run as may, and ends the run when there
// is nothing left to do.
func (x *Execution) fill(r *mapRun) error {
	for len(r.running) < r.atOnce && !r.out.behind() {
		input, n, err := x.nextInput(r)
		if err != nil {
			return err
		}
		if n == 0 {
			if len(r.running) == 0 {
				return x.finish(r)
			}
			return nil
		}
		x.startChild(r, input, n)
	}
	return nil
}

func (x *Execution) startChild(r *mapRun, input any, n int) {
	c := &childRun{run: r, index: r.children, items: n, input: input, started: x.current.At}
	c.name = uuid([32]byte(x.mac("child "+r.id, uint64(r.children))))
	r.children++
	r.counts.Running += n
	b := r.act.state.branches[0]
	f := &frame{block: b, parent: r.act, index: c.index, child: c, apart: true}
	r.running[c.index] = f
	c.history++ // its ExecutionStarted
	f.last = c.history
	x.arrive(f, b.start, input)
}

// ended takes a child out of its run; nil if f is the frame of none.
func (f *frame) ended() *mapRun {
	if f.child == nil || f.parent == nil || f.parent.frame.child == f.child {
		return nil
	}
	f.dead = true
	r := f.child.run
	delete(r.running, f.child.index)
	r.counts.Running -= f.child.items
	return r
}

// childSucceeded takes the output of a child to its run.
func (x *Execution) childSucceeded(r *mapRun, c *childRun, output any) {
	r.counts.Succeeded += c.items
	x.keepResult(r, c, &output, nil)
	x.goOn(r)
}

// childFailed counts the failure; the run goes on while it is tolerated.
func (x *Execution) childFailed(r *mapRun, c *childRun, e *stateError) {
	r.counts.Failed += c.items
	x.keepResult(r, c, nil, e)
	if r.tolerated.exceeded(r.counts.Failed, r.counts.Total) {
		x.breakOff(r, &stateError{errThreshold, "The specified tolerated failure threshold was exceeded"})
		return
	}
	x.goOn(r)
}

func (x *Execution) goOn(r *mapRun) {
	if r.ended || r.failure != nil {
		return
	}
	if err := x.fill(r); err != nil {
		x.failRun(r, err)
	}
}

// breakOff stops the children; what they gave so far is still written.
func (x *Execution) breakOff(r *mapRun, e *stateError) {
	r.failure = e
	for _, i := range sortedKeys(r.running) {
		f := r.running[i]
		x.shut(f)
		f.ended()
		r.counts.Failed += f.child.items
		x.keepResult(r, f.child, nil, errStopped)
	}
	if err := x.finish(r); err != nil {
		x.failRun(r, err)
	}
}

// finish writes what is left, then ends the run.
func (x *Execution) finish(r *mapRun) error {
	if r.out.external() {
		x.flush(r, true)
		return nil
	}
	if failure := r.failure; failure != nil {
		x.failRun(r, failure)
		return nil //nolint:nilerr // it is said
	}
	result, err := r.out.result(x.tooLarge(r.act))
	if err == nil {
		x.succeedRun(r, result)
	}
	return err
}

func (x *Execution) succeedRun(r *mapRun, result any) {
	x.endRun(r, StatusSucceeded)
	x.close(r.act)
	x.emit(r.act.frame, HistoryEvent{Type: "MapRunSucceeded"})
	x.emit(r.act.frame, HistoryEvent{Type: "MapStateSucceeded"})
	x.complete(r.act, result)
}

// failRun ends the run, and its state fails.
func (x *Execution) failRun(r *mapRun, err error) {
	if r.ended {
		return
	}
	x.endRun(r, StatusFailed)
	e := x.explained(r.act, err)
	x.close(r.act)
	x.emit(r.act.frame, HistoryEvent{Type: "MapRunFailed", Error: e.name, Cause: e.cause})
	x.raise(r.act, e)
}
