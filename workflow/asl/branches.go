package asl

import (
	"encoding/json"
	"slices"
)

func (x *Execution) startParallel(act *activity, input any) error {
	argument, err := x.arguments(act, input)
	if err != nil {
		return err
	}
	x.emit(act.frame, HistoryEvent{Type: "ParallelStateStarted"})
	n := len(act.state.branches)
	act.results, act.left, act.broken = make([]any, n), n, nil
	for i, b := range act.state.branches {
		f := &frame{block: b, parent: act, index: i, child: act.frame.child, last: act.frame.last}
		act.branches = append(act.branches, f)
		x.arrive(f, b.start, argument)
	}
	return nil
}

// maxAtOnce bounds the items of a Map that run together, as on AWS.
const maxAtOnce = 40

func (x *Execution) startMap(act *activity, input any) error {
	d := act.state.distributed
	var list []any
	if d == nil || d.reader == nil {
		var err error
		if list, err = x.items(act, input); err != nil {
			return err
		}
	}
	atOnce, err := x.whole(act, act.state.concurrency, input)
	if err != nil {
		return err
	}
	if atOnce < 0 && act.state.jsonata {
		return queryFailed("MaxConcurrency", "MaxConcurrency cannot be negative.")
	}
	if atOnce < 0 {
		return runtimeError("MaxConcurrency cannot be negative.")
	}
	length := len(list)
	x.emit(act.frame, HistoryEvent{Type: "MapStateStarted", Length: &length})
	limit, err := x.tolerance(act, input)
	if err != nil {
		return err
	}
	if d != nil {
		x.startDistributed(act, list, atOnce, limit, input)
		return nil
	}
	return x.startInline(act, list, atOnce, input)
}

func (x *Execution) startInline(act *activity, list []any, atOnce int64, input any) error {
	length := len(list)
	act.items, act.results, act.left, act.next, act.argument, act.broken = list, make([]any, length), length, 0, input, nil
	if length == 0 {
		x.allDone(act)
		return nil
	}
	if atOnce == 0 {
		atOnce = maxAtOnce
	}
	for range min(atOnce, maxAtOnce, int64(length)) {
		if err := x.startItem(act); err != nil {
			return err
		}
	}
	return nil
}

func (x *Execution) items(act *activity, input any) ([]any, error) {
	v := input
	if act.state.jsonata {
		return x.queriedItems(act, input)
	}
	if p := act.state.items; p != nil {
		var err error
		if v, err = filtered(p, x.scope(act, input)); err != nil {
			return nil, err
		}
	}
	list, ok := v.([]any)
	if !ok {
		return nil, runtimeError("Reference path %q must point to array. Map state input must be an array but was: %s", pathText(act.state.items), shorten(encode(v)))
	}
	return list, nil
}

// queriedItems are the Items of a state in JSONata, or its input.
func (x *Execution) queriedItems(act *activity, input any) ([]any, error) {
	if e := act.state.itemsOf; e != nil {
		v, err := x.scope(act, input).typed(e, "Items", "array")
		list, _ := v.([]any)
		return list, err
	}
	list, ok := input.([]any)
	if !ok {
		return nil, queryFailed("", "Map state input must be an array but was: %s", shorten(encode(input)))
	}
	return list, nil
}

func pathText(p *path) string {
	if p == nil {
		return "$"
	}
	return p.text
}

func shorten(b json.RawMessage) string {
	if len(b) > 200 {
		return string(b[:200]) + "…"
	}
	return string(b)
}

// startItem begins the next item of a Map.
func (x *Execution) startItem(act *activity) error {
	i := act.next
	act.next++
	f := &frame{block: act.state.branches[0], parent: act, index: i, item: &item{value: act.items[i]}, child: act.frame.child, last: act.frame.last, slot: len(act.branches)}
	act.branches = append(act.branches, f)
	x.emit(f, HistoryEvent{Type: "MapIterationStarted", Name: act.state.name, Index: &f.index})
	return x.enterItem(act, f)
}

// enterItem gives the item, or what ItemSelector makes of it, to its states.
func (x *Execution) enterItem(act *activity, f *frame) error {
	input := act.items[f.index]
	if act.state.parameters != nil {
		var err error
		item := &activity{frame: f, state: act.state, at: act.at, input: act.input, retryCount: act.retryCount} // sees its item in $$
		if input, err = x.arguments(item, act.argument); err != nil {
			return err
		}
	}
	x.arrive(f, f.block.start, input)
	return nil
}

// branchDone takes the output of a branch or item to its state.
func (x *Execution) branchDone(f *frame, out any) {
	if r := f.ended(); r != nil {
		x.childSucceeded(r, f.child, out)
		return
	}
	act := f.parent
	act.results[f.index] = out
	act.left--
	if act.state.kind == "Map" {
		x.emit(f, HistoryEvent{Type: "MapIterationSucceeded", Name: act.state.name, Index: &f.index})
		act.frame.last = f.last
		act.forget(f)
	}
	if act.left == 0 {
		x.allDone(act)
		return
	}
	if act.next < len(act.items) {
		if err := x.startItem(act); err != nil {
			x.fail(act, err)
		}
	}
}

func (x *Execution) allDone(act *activity) {
	act.branches = nil
	result := any(act.results)
	if !fits(result) {
		x.fail(act, x.tooLarge(act))
		return
	}
	x.emit(act.frame, HistoryEvent{Type: act.state.kind + "StateSucceeded"})
	x.complete(act, result)
}

// forget takes an item that has ended out of those that run, in constant time.
func (act *activity) forget(f *frame) {
	last := act.branches[len(act.branches)-1]
	act.branches[f.slot], last.slot = last, f.slot
	act.branches = act.branches[:len(act.branches)-1]
}

// inOrder gives branches or items by their index.
func inOrder(all []*frame) []*frame {
	return slices.SortedFunc(slices.Values(all), func(a, b *frame) int { return a.index - b.index })
}
