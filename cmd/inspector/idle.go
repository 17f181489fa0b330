package main

import (
	"errors"
	"fmt"

	"inspector/model"
)

// idle reports keys of a recipe's file that mean nothing to the model: who wrote
// them expects them to count.
func (r recipe) idle(p *model.Package) error {
	in := p.Inputs[0]
	areas := len(r.Inspect)+len(r.Ignore) > 0 || r.Smallest > 0 || r.Code != nil
	var errs []error
	for _, k := range []struct {
		key  string
		used bool
		is   string
	}{
		{"golden", in.Golden || areas, "compares with no golden board"},
		{"goldens", in.Golden, "compares with no golden board"},
		{"tolerance", in.Golden, "compares with no golden board"},
		{"align", in.Golden, "compares with no golden board"},
		{"etch", in.Golden && in.Binarise, "does not compare plates of copper and laminate"},
		{"copper", in.Binarise, "sees the picture as it is, not copper and laminate"},
	} {
		if !k.used && r.from.lines[k.key] > 0 {
			errs = append(errs, r.from.fault(k.key, fmt.Errorf("it means nothing to %s, which %s; take it out, or name the model that the recipe is for with model: NAME", p.ID(), k.is)))
		}
	}
	return errors.Join(errs...)
}
