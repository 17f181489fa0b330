package asl

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"
)

// A Machine is a checked definition. It never changes: any number of
// goroutines may advance different executions of it at the same time.
type Machine struct {
	Comment string

	hash    string
	top     *block
	timeout time.Duration // 0: none
}

// Hash is the sha256 of the definition, in hexadecimal: its name for ever.
func (m *Machine) Hash() string { return m.hash }

// Resources gives what the machine's tasks invoke and its Maps read and write by, without
// .waitForTaskToken, sorted.
func (m *Machine) Resources() []string {
	var out []string
	var visit func(b *block)
	visit = func(b *block) {
		for _, s := range b.states {
			if s.kind == "Task" {
				out = append(out, s.resource)
			}
			if d := s.distributed; d != nil {
				out = append(out, d.resources()...)
			}
			for _, inner := range s.branches {
				visit(inner)
			}
		}
	}
	visit(m.top)
	slices.Sort(out)
	return slices.Compact(out)
}

// Distributes reports whether a Map of the machine may run its items as
// executions of their own: only then has an execution of it MapRuns.
func (m *Machine) Distributes() bool {
	var visit func(b *block) bool
	visit = func(b *block) bool {
		for _, s := range b.states {
			if s.distributed != nil || slices.ContainsFunc(s.branches, visit) {
				return true
			}
		}
		return false
	}
	return visit(m.top)
}

// Parse checks a definition of the States Language and compiles it. The error
// is a Faults with every fault at once, each with its place. The bytes are not
// kept.
func Parse(definition []byte) (*Machine, error) {
	return ParseAs(definition, Standard)
}

// ParseAs is Parse for machines of the type: some of the language is only for
// STANDARD ones.
func ParseAs(definition []byte, t Type) (*Machine, error) {
	v, root := check(definition, t)
	if faults := v.faults.Errors(); len(faults) > 0 {
		return nil, faults
	}
	m, faults := compile(definition, root)
	if len(faults) > 0 {
		return nil, faults
	}
	return m, nil
}

// Restore compiles a definition that Parse of this or a former release let
// pass, whatever it finds wrong with it today: what began on it goes on.
// Fields that mean nothing are passed over. The error is a Faults, and says
// what cannot be carried out at all.
func Restore(definition []byte) (*Machine, error) {
	v := &validator{}
	root := v.read(definition)
	if root == nil {
		places(definition, v.faults)
		return nil, v.faults
	}
	m, faults := compile(definition, root)
	if len(faults) > 0 {
		return nil, faults
	}
	return m, nil
}

// compile makes a machine of an object, which check need not have let pass:
// fields that mean nothing are check's concern.
func compile(definition []byte, root *node) (*Machine, Faults) {
	c := &checker{seen: map[string]bool{}}
	o := root.value().(map[string]any)
	m := &Machine{Comment: c.text("", o, "Comment")}
	c.jsonata = c.queryLanguage("", o)
	if version, ok := o["Version"]; ok && version != "1.0" {
		c.fault("/Version", `the only version is "1.0"`)
	}
	m.timeout = c.seconds("", o, "TimeoutSeconds", 1)
	m.top = c.block("", o, 0)
	if len(c.faults) > 0 {
		root.locate(c.faults)
		places(definition, c.faults)
		return nil, c.faults.ByPlace()
	}
	sum := sha256.Sum256(definition)
	m.hash = hex.EncodeToString(sum[:])
	return m, nil
}

const maxDefinition = 1 << 20 // bytes, as on AWS

// A block is one States object with its start: the machine, a branch, or what
// a Map does with every item.
type block struct {
	start  string
	states map[string]*state
}

// A state as compiled. Which fields are set depends on its kind; the zero
// value of a path is the default that the language gives it.
type state struct {
	name, kind string
	next       string // empty: it ends its block

	inputPath, outputPath, resultPath *path // nil is $
	noInput, noOutput, noResult       bool  // the path is null
	parameters, selector              expr  // nil: as it comes

	jsonata bool
	output  expr       // JSONata: nil is the result, or the input
	assign  objectExpr // variables

	result    expr // Pass: nil is its input
	resource  string
	token     bool // .waitForTaskToken
	sync      bool // .sync or .sync:2: whoever does it holds a token, and answers at the end
	timeout   delay
	heartbeat delay
	retry     []retrier
	catch     []catcher

	choices     []choice
	otherwise   string
	wait        delay
	errorName   expr
	cause       expr
	errorField  string // Error or ErrorPath, as written
	causeField  string
	branches    []*block // Parallel; Map has one
	items       *path
	itemsOf     expr         // Items of JSONata
	concurrency setting      // Map
	tolerated   [2]setting   // Map: count and percentage of items that may fail
	distributed *distributed // Map; nil: its items run inline
}

type choice struct {
	test   test
	next   string
	output expr
	assign objectExpr
}

// A delay is seconds or a moment, given, by path or by expression. The zero
// value is none.
type delay struct {
	field   string // as written
	seconds int64
	at      time.Time
	path    *path
	query   expr // JSONata
}

type retrier struct {
	errors   []string
	interval float64 // seconds
	attempts int64
	rate     float64
	most     float64 // seconds; 0: no limit
	jitter   bool
}

type catcher struct {
	errors     []string
	next       string
	resultPath *path
	noResult   bool
	output     expr
	assign     objectExpr
}
