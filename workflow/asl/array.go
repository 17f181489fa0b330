package asl

import (
	"errors"
	"slices"
)

const maxRange = 1_000 // elements of States.ArrayRange, as on AWS

// array evaluates the functions of arrays.
func (c call) array(args []any) (any, error) {
	if c.name == "States.ArrayRange" {
		return arrayRange(args)
	}
	list, err := argument[[]any](args, 0)
	if err != nil {
		return nil, err
	}
	switch c.name {
	case "States.ArrayLength":
		return number(int64(len(list))), nil
	case "States.ArrayContains":
		return slices.ContainsFunc(list, func(v any) bool { return equal(v, args[1]) }), nil
	case "States.ArrayUnique":
		return unique(list), nil
	}
	n, err := integer(args, 1)
	if err != nil {
		return nil, err
	}
	if c.name == "States.ArrayGetItem" {
		if n < 0 || n >= int64(len(list)) {
			return nil, errors.New("the index is outside the array")
		}
		return list[n], nil
	}
	if n <= 0 { // States.ArrayPartition
		return nil, errors.New("the size of a part must be positive")
	}
	out := []any{}
	for part := range slices.Chunk(list, int(min(n, int64(max(len(list), 1))))) {
		out = append(out, part)
	}
	return out, nil
}

func arrayRange(args []any) (any, error) {
	from, to, err := integers(args)
	if err != nil {
		return nil, err
	}
	step, err := integer(args, 2)
	if err != nil {
		return nil, err
	}
	if step == 0 {
		return nil, errors.New("the step must not be 0")
	}
	out := []any{}
	for i := from; step > 0 && i <= to || step < 0 && i >= to; i += step {
		if len(out) == maxRange {
			return nil, errors.New("there are more than 1000 elements")
		}
		out = append(out, number(i))
	}
	return out, nil
}

// unique keeps the first of each value. Canonical text stands for equality,
// so that a long list costs no more than its length; 1 and 1.0 are one.
func unique(list []any) any {
	seen := map[string]bool{}
	out := []any{}
	for _, v := range list {
		key := string(encode(canonical(v)))
		if !seen[key] {
			seen[key] = true
			out = append(out, v)
		}
	}
	return out
}
