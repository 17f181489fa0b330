package asl

import (
	"maps"
	"slices"
)

const (
	variableSize = maxPayload // bytes of one variable, and of one Assign
	maxVariables = 10 << 20   // bytes of all that an execution holds
)

// assignments compiles Assign. Names must be new to the blocks around, or
// assigned in this very one.
func (c *checker) assignments(jsonata bool, at, field string, o map[string]any) objectExpr {
	v, ok := o["Assign"]
	if !ok {
		return nil
	}
	given, ok := v.(map[string]any)
	if !ok {
		c.fault(pointer(at, "Assign"), "the value must be an object")
		return nil
	}
	out := objectExpr{}
	switch e := c.value(jsonata, pointer(at, "Assign"), field, given).(type) {
	case objectExpr:
		out = e
	case literal:
		for _, name := range slices.Sorted(maps.Keys(given)) {
			out = append(out, member{name, name, literal{given[name]}})
		}
	}
	for _, m := range out {
		here := pointer(pointer(at, "Assign"), m.field)
		if !isName(m.name) || m.name == "states" {
			c.fault(here, "%q cannot be the name of a variable", m.name)
		}
		for i, names := range c.assigned {
			if names[m.name] && i < len(c.assigned)-1 {
				c.fault(here, "the variable %q is assigned in a block around this one", m.name)
			}
		}
	}
	return out
}

// outerNames are the variables that the states of a block assign when they
// succeed. (AWS lets an inner block use a name that a catcher assigns.)
func outerNames(states map[string]any) map[string]bool {
	names := map[string]bool{}
	for _, s := range states {
		o, _ := s.(map[string]any)
		given, _ := o["Assign"].(map[string]any)
		for name := range given {
			names[trimmed(name)] = true
		}
	}
	return names
}

func trimmed(field string) string {
	if len(field) > 2 && field[len(field)-2:] == ".$" {
		return field[:len(field)-2]
	}
	return field
}

// isName reports whether s can be the name of a variable.
func isName(s string) bool { return isIdentifier(s) && runes(s) <= maxVariable }

// variable finds a variable in the block, then in those around it.
func (f *frame) variable(name string) (any, bool) {
	for ; f != nil; f = f.around() {
		if v, ok := f.variables[name]; ok {
			return v, true
		}
	}
	return nil, false
}

// around is the frame whose variables this one sees, or nil.
func (f *frame) around() *frame {
	if f.parent == nil || f.apart {
		return nil
	}
	return f.parent.frame
}

// assign evaluates all of an Assign, then makes the variables, which only
// later states see.
func (x *Execution) assign(act *activity, e objectExpr, s *scope) (map[string]any, error) {
	if e == nil {
		return nil, nil
	}
	v, err := e.eval(s)
	if err != nil {
		return nil, err
	}
	made := v.(map[string]any)
	if !fits(v) {
		return nil, x.tooLarge(act)
	}
	f := act.frame
	stored := x.stored
	for name, v := range made {
		stored += variableSize - measure(v, variableSize, maxDepth)
		if old, ok := f.variables[name]; ok {
			stored -= variableSize - measure(old, variableSize, maxDepth)
		}
	}
	if stored > maxVariables {
		return nil, &stateError{errDataLimit, "The total size of the variables of the execution exceeds the maximum number of bytes service limit."}
	}
	return made, nil
}

// keep makes the variables of an Assign.
func (x *Execution) keep(f *frame, made map[string]any) {
	if len(made) == 0 {
		return
	}
	x.forget(f)
	variables := maps.Clone(f.variables)
	if variables == nil {
		variables = map[string]any{}
	}
	maps.Copy(variables, made)
	f.variables = variables
	x.stored += f.size()
}

// forget takes the frame's variables off the execution's account.
func (x *Execution) forget(f *frame) { x.stored -= f.size() }

func (f *frame) size() (n int) {
	for _, v := range f.variables {
		n += variableSize - measure(v, variableSize, maxDepth)
	}
	return n
}
