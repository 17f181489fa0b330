package asl

import (
	"encoding/json"
	"maps"
	"slices"
)

// An itemBatcher groups items: a child gets {"BatchInput": …, "Items": […]}.
type itemBatcher struct {
	maxItems, maxBytes setting
	input              expr // BatchInput
}

// batchLimits are an itemBatcher as evaluated; the zero value groups nothing.
type batchLimits struct {
	items, bytes int64 // 0: no limit of this kind
	input        any
	on, hasInput bool
}

func (x *Execution) batchLimits(act *activity, input any) (l batchLimits, err error) {
	b := act.state.distributed.batcher
	if b == nil {
		return l, nil
	}
	l.on, l.hasInput = true, b.input != nil
	if l.items, err = x.positive(act, b.maxItems, input); err != nil {
		return l, err
	}
	if l.bytes, err = x.positive(act, b.maxBytes, input); err != nil {
		return l, err
	}
	if l.bytes == 0 || l.bytes > maxPayload {
		l.bytes = maxPayload
	}
	if b.input != nil {
		l.input, err = b.input.eval(x.scope(act, input))
	}
	return l, err
}

// positive is an optional limit; 0 if it is not given.
func (x *Execution) positive(act *activity, s setting, input any) (int64, error) {
	n, err := x.whole(act, s, input)
	if err == nil && s.given() && n <= 0 {
		err = s.outside("%s must be a positive integer.", s.name())
	}
	return n, err
}

// nextInput is the input of the next child and how many items it has; none at
// the end.
func (x *Execution) nextInput(r *mapRun) (any, int, error) {
	it, err := r.take()
	if it == nil || err != nil {
		return nil, 0, err
	}
	v, err := x.selected(r, it)
	if !r.batch.on || err != nil {
		r.taken++
		return v, 1, err
	}
	batch := map[string]any{"Items": []any{}}
	if r.batch.hasInput {
		batch["BatchInput"] = r.batch.input
	}
	left := measure(batch, int(r.batch.bytes), maxDepth)
	var list []any
	for {
		left = measure(v, left, maxDepth) - 1 // and its comma
		if len(list) > 0 && left < -1 {
			r.held = it
			break
		}
		list = append(list, v)
		r.taken++
		if int64(len(list)) == r.batch.items {
			break
		}
		if it, err = r.take(); it == nil || err != nil {
			break
		}
		if v, err = x.selected(r, it); err != nil {
			break
		}
	}
	batch["Items"] = list
	return batch, len(list), err
}

// selected is an item after ItemSelector.
func (x *Execution) selected(r *mapRun, it *item) (any, error) {
	act := r.act
	v := it.value
	if act.state.parameters != nil {
		f := &frame{block: act.frame.block, parent: act, index: r.taken, item: it, child: act.frame.child}
		seen := &activity{frame: f, state: act.state, at: act.at, retryCount: act.retryCount, input: act.input}
		var err error
		if v, err = x.arguments(seen, act.argument); err != nil {
			return nil, err
		}
	}
	if !fits(v) {
		return nil, x.tooLarge(act)
	}
	return v, nil
}

// A tolerance is how many items may fail. Where neither limit is given, none.
type tolerance struct {
	count, percentage       float64
	hasCount, hasPercentage bool
}

func (t tolerance) exceeded(failed, total int) bool {
	switch {
	case t.hasCount && float64(failed) > t.count:
		return true
	case t.hasPercentage && total > 0 && 100*float64(failed)/float64(total) > t.percentage:
		return true
	}
	return !t.hasCount && !t.hasPercentage && failed > 0
}

func (x *Execution) tolerance(act *activity, input any) (t tolerance, err error) {
	count, percentage := act.state.tolerated[0], act.state.tolerated[1]
	if count.given() {
		n, err := x.whole(act, count, input)
		switch {
		case err != nil:
			return t, err
		case n < 0:
			return t, count.outside("ToleratedFailureCount cannot be negative.")
		}
		t.count, t.hasCount = float64(n), true
	}
	if percentage.given() {
		v, err := x.evaluated(act, percentage, input)
		if err != nil {
			return t, err
		}
		n, ok := percentage.numeral(v)
		if t.percentage = toFloat(n); !ok {
			return t, percentage.unfit(v, "float")
		} else if t.percentage < 0 || t.percentage > 100 {
			return t, percentage.outside("ToleratedFailurePercentage must be between 0 and 100.")
		}
		t.hasPercentage = true
	}
	return t, nil
}

// evaluated is the value of a setting that is given.
func (x *Execution) evaluated(act *activity, s setting, input any) (any, error) {
	if s.path == nil {
		return s.value.eval(x.scope(act, input))
	}
	return filtered(s.path, x.scope(act, input))
}

// unfit says that a setting has a wrong value: form is what it must be.
func (s setting) unfit(v any, form string) error {
	if s.path != nil {
		return runtimeError("The %s field refers to value \"%s\" which is not a valid %s: %s", afterLast(s.field, '/'), bare(v), form, s.path.text)
	}
	kind, source := "number", ""
	if form == "integer" {
		kind = form
	}
	if q, ok := s.value.(queryExpr); ok {
		source = q.source
	}
	return unexpectedType(source, s.field, kind, v)
}

// outside says that a setting is beyond its range.
func (s setting) outside(format string, args ...any) error {
	if _, ok := s.value.(queryExpr); ok {
		return queryFailed(s.field, format, args...)
	}
	return runtimeError(format, args...)
}

// whole is a whole number, 0 if the setting is not given.
func (x *Execution) whole(act *activity, s setting, input any) (int64, error) {
	if !s.given() {
		return 0, nil
	}
	v, err := x.evaluated(act, s, input)
	if err != nil {
		return 0, err
	}
	if n, ok := s.numeral(v); ok {
		if i, ok := toInt(n); ok {
			return i, nil
		}
	}
	return 0, s.unfit(v, "integer")
}

// numeral is a number, or by path the number that a text holds: AWS takes
// both.
func (s setting) numeral(v any) (json.Number, bool) {
	if text, ok := v.(string); ok && s.path != nil {
		v, _ = decode([]byte(text))
	}
	n, ok := v.(json.Number)
	return n, ok
}

func sortedKeys[V any](m map[int]V) []int { return slices.Sorted(maps.Keys(m)) }
