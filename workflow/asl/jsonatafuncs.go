package asl

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/recolabs/gnata"
)

// ownFunctions stand in the expressions that parseQuery writes anew.
var ownFunctions = map[string]func(*meter) queryFunction{
	own + "count": func(m *meter) queryFunction {
		return func(args []any, _ any) (any, error) { return args[0], m.value(args[0]) }
	},
	own + "join":  (*meter).join,
	own + "range": (*meter).sequence,
	own + "equal": func(m *meter) queryFunction {
		return func(args []any, _ any) (any, error) { return m.equal(args[0], args[1]) }
	},
	own + "differ": func(m *meter) queryFunction {
		return func(args []any, _ any) (any, error) {
			if args[0] == nil || args[1] == nil {
				return false, nil
			}
			same, err := m.equal(args[0], args[1])
			return !same, err
		}
	},
	own + "in": func(m *meter) queryFunction {
		return func(args []any, _ any) (any, error) {
			list, ok := args[1].([]any)
			if !ok {
				return m.equal(args[0], args[1])
			}
			for _, e := range list {
				if err := m.step(1); err != nil {
					return nil, err
				}
				if same, err := m.equal(args[0], e); same || err != nil {
					return same, err
				}
			}
			return false, nil
		}
	},
}

// equal is =: what is undefined equals nothing, and null only null.
func (m *meter) equal(a, b any) (bool, error) {
	if a == nil || b == nil {
		return false, nil
	}
	if err := m.value(a); err != nil {
		return false, err
	}
	return gnata.DeepEqual(a, b), nil
}

// join is &, for a whole chain of them.
func (m *meter) join() queryFunction {
	text := libraryFunctions()["string"]
	return func(args []any, _ any) (any, error) {
		var b strings.Builder
		for _, a := range args {
			if err := m.value(a); err != nil {
				return nil, err
			}
			s, ok := a.(string)
			if !ok && a != nil {
				v, err := callPlain(text, a)
				if err != nil {
					return nil, err
				}
				s, _ = v.(string)
			}
			if b.Len()+len(s) > maxQueryValue {
				m.spent = errQueryMemory
				return nil, m.spent
			}
			b.WriteString(s)
		}
		return b.String(), m.hold(b.Len())
	}
}

// sequence is .. in an array.
func (m *meter) sequence() queryFunction {
	return func(args []any, _ any) (any, error) {
		var ends [2]float64
		for i, code := range []string{"T2003", "T2004"} {
			f, ok := toNumber(args[i])
			if args[i] != nil && (!ok || f != math.Trunc(f)) {
				side := []string{"left", "right"}[i]
				return nil, queryFault(code, "The "+side+" side of the range operator (..) must evaluate to an integer")
			}
			ends[i] = f
		}
		if args[0] == nil || args[1] == nil || ends[0] > ends[1] {
			return nil, nil
		}
		n := ends[1] - ends[0] + 1
		if n > 1e7 {
			return nil, queryFault("D2014", fmt.Sprintf("The size of the sequence allocated by the range operator (..) must not exceed 1e6.  Attempted to allocate %.0f.", n))
		}
		if n*8 > maxQueryValue {
			m.spent = errQueryMemory
			return nil, m.spent
		}
		if err := m.hold(int(n) * 24); err != nil {
			return nil, err
		}
		out := make([]any, int(n))
		for i := range out {
			out[i] = ends[0] + float64(i)
		}
		return out, nil
	}
}

func toNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}

// addedFunctions are what AWS adds to JSONata, and the functions of the
// library that would ask a clock or a generator.
var addedFunctions = map[string]func(queryInput) queryFunction{
	"partition": func(queryInput) queryFunction { return partition },
	"range":     func(queryInput) queryFunction { return steppedRange },
	"hash":      func(queryInput) queryFunction { return hashed },
	"parse":     func(queryInput) queryFunction { return parsed },
	"uuid": func(in queryInput) queryFunction {
		return func([]any, any) (any, error) { return uuid(in.draw()), nil }
	},
	"random": func(in queryInput) queryFunction {
		return func(args []any, _ any) (any, error) {
			seed := in.draw
			if len(args) > 0 {
				f, ok := toNumber(args[0])
				if !ok {
					return nil, mismatch("random", 1)
				}
				sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, math.Float64bits(f)))
				seed = func() [32]byte { return sum }
			}
			return rand.New(rand.NewChaCha8(seed())).Float64(), nil
		}
	},
	"shuffle": func(in queryInput) queryFunction {
		return func(args []any, _ any) (any, error) {
			if len(args) == 0 || args[0] == nil {
				return nil, nil
			}
			list := append([]any{}, asList(args[0])...)
			rand.New(rand.NewChaCha8(in.draw())).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			return list, nil
		}
	},
	"millis": func(in queryInput) queryFunction {
		return func([]any, any) (any, error) { return float64(in.now.UnixMilli()), nil }
	},
	"toMillis": func(in queryInput) queryFunction {
		return func(args []any, _ any) (any, error) {
			if len(args) > 1 {
				args = append([]any{}, args...)
				args[0], args[1] = datedToday(args[0], args[1], in.now)
			}
			return callPlain(libraryFunctions()["toMillis"], args...)
		}
	},
	"now": func(in queryInput) queryFunction {
		return func(args []any, _ any) (any, error) {
			if len(args) > 0 {
				if picture, ok := args[0].(string); ok && (len(picture) > 1000 || longWidth.MatchString(picture)) {
					return nil, errQueryMemory
				}
			}
			return callPlain(libraryFunctions()["fromMillis"], append([]any{float64(in.now.UnixMilli())}, args...)...)
		}
	},
}

func mismatch(function string, n int) error {
	return queryFault("T0410", fmt.Sprintf("Argument %d of function %q does not match function signature", n, function))
}

func asList(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

// partition cuts an array into parts of n.
func partition(args []any, _ any) (any, error) {
	if len(args) == 0 || args[0] == nil {
		return nil, nil
	}
	list := asList(args[0])
	if len(args) < 2 {
		return nil, mismatch("partition", 2)
	}
	f, ok := toNumber(args[1])
	n := int(min(math.Trunc(f), 1e6))
	if !ok || n <= 0 {
		return nil, mismatch("partition", 2)
	}
	var out []any
	for ; len(list) > n; list = list[n:] {
		out = append(out, list[:n:n])
	}
	if len(list) == 0 {
		return nil, nil
	}
	return append(out, list), nil
}

// steppedRange gives the numbers from a to b in steps.
func steppedRange(args []any, _ any) (any, error) {
	var n [3]float64
	for i := range n {
		if i >= len(args) {
			return nil, mismatch("range", i+1)
		}
		if args[i] == nil {
			return nil, nil
		}
		f, ok := toNumber(args[i])
		if !ok {
			return nil, mismatch("range", i+1)
		}
		n[i] = math.Trunc(f)
	}
	from, to, step := n[0], n[1], n[2]
	if step == 0 || (to-from)/step < 0 {
		return nil, nil
	}
	count := math.Floor((to-from)/step) + 1
	if count*8 > maxQueryValue {
		return nil, errQueryMemory
	}
	out := make([]any, int(count))
	for i := range out {
		out[i] = from + float64(i)*step
	}
	return out, nil
}

func hashed(args []any, _ any) (any, error) {
	if len(args) == 0 || args[0] == nil {
		return nil, nil
	}
	text, ok := args[0].(string)
	if !ok {
		return nil, mismatch("hash", 1)
	}
	name := "SHA-256"
	if len(args) > 1 {
		if name, ok = args[1].(string); !ok {
			return nil, mismatch("hash", 2)
		}
	}
	sum, ok := hashes[name]
	if !ok {
		return nil, mismatch("hash", 2)
	}
	h := sum()
	h.Write([]byte(text))
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

func parsed(args []any, _ any) (any, error) {
	if len(args) == 0 || args[0] == nil {
		return nil, nil
	}
	text, ok := args[0].(string)
	if !ok {
		return nil, mismatch("parse", 1)
	}
	v, err := decode([]byte(text))
	if err != nil {
		return nil, queryFault("D3120", "Syntax error in expression passed to function parse: "+err.Error())
	}
	return toLibrary(v), nil
}
