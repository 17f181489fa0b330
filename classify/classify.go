// Package classify judges pictures of boards with a model: pixels become the
// model's input, its output becomes defects, and defects become a verdict.
// Whatever goes wrong on the way, the verdict is unsure and never pass.
package classify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"inspector"
	"inspector/model"
)

// session is all that a classifier asks of a runtime: to compute out from in
// and to touch neither after it has returned, for any goroutine at any time.
// How many run at once is the session's own affair: nothing here waits.
type session interface {
	Run(ctx context.Context, in, out []float32) error
}

// A Recipe is what a product asks of a classifier.
type Recipe struct {
	Name        string
	Golden      inspector.Pixels   // a known-good board; needed if the model compares with one. Not kept.
	Goldens     []inspector.Pixels // more of them: each board is compared with the one most like it. Not kept.
	Tolerance   inspector.Pixels   // how much good boards differ from Golden, grey levels at each place; may be empty. Not kept.
	Align       bool               // lay boards over the golden one; a board that cannot be is unsure
	Etch        int                // pixels of the model's picture, 0 to MostEtch: copper wider or narrower by up to this at each edge is as good. Only if Align, and of plates
	Copper      Tone               // needed if the model binarises
	Limits      Limits             // zero: the model's defaults
	ClassLimits map[string]Limits  // by label, instead of Limits
	Inspect     []Polygon          // what counts, in pixels of Golden; none: everything
	Ignore      []Polygon          // what does not, even inside Inspect
	Smallest    float32            // longer side of the smallest box that counts, in pixels of Golden
}

// A Classifier judges boards of one product. All methods may be called from
// any goroutine.
type Classifier struct {
	prepare *preparer
	decode  decoder
	limits  limits
	area    area
	session session
	inputs  chan *Input  // free ones
	outputs chan *Output // free ones
}

// spare is how many inputs and outputs wait for reuse: one in each stage of a
// pipeline and one between.
const spare = 4

// New returns a classifier that runs p in s, which stays the caller's. Every
// fault of the recipe is reported at once.
func New(p *model.Package, s session, r Recipe) (*Classifier, error) {
	c := &Classifier{
		decode:  newDecoder(p),
		limits:  limits{all: r.Limits, class: maps.Clone(r.ClassLimits)},
		area:    newArea(r),
		session: s,
		inputs:  make(chan *Input, spare),
		outputs: make(chan *Output, spare),
	}
	if r.Limits == (Limits{}) {
		c.limits.all = Limits(p.Thresholds)
	}
	faults := []error{c.limits.all.check("limits")}
	for _, label := range slices.Sorted(maps.Keys(r.ClassLimits)) {
		if !slices.Contains(p.Labels, label) || label == p.Good {
			faults = append(faults, fmt.Errorf("limits for %q: not a kind of defect of %s, which has %q", label, p.ID(), p.Labels))
		}
		faults = append(faults, r.ClassLimits[label].check("limits for "+label))
	}
	faults = append(faults, r.checkArea())
	if c.decode.size == 0 {
		faults = append(faults, fmt.Errorf("%s names no outputs", p.ID()))
	}
	var err error
	if c.prepare, err = newPreparer(p, r); err != nil {
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("classify: recipe %q: %w", r.Name, err)
	}
	return c, nil
}

// An Input is one board in the form of the model. It is good for one Infer.
type Input struct {
	data          []float32 // of each view
	scratch       scratch
	width, height int // of the picture
	lie           lie
	took          time.Duration
}

// An Output is what the model said about one board. It is good for one Judge.
type Output struct {
	data           []float32 // of each view
	width, height  int       // of the picture
	lie            lie
	prepare, infer time.Duration
}

// A Result is the judgement of one board. Score is that of the defect that
// decided, or of what looked most like one if the board passed.
type Result struct {
	Verdict inspector.Verdict
	Reason  string
	Score   float32
	Defects []inspector.Defect // at or above pass, worst first
	LeftOut int                // defects at or above pass that the recipe's regions and smallest leave out
	Lay     *inspector.Registration
	Timings inspector.Timings // Prepare with Align in it, Infer and Decode
}

// Unsure is the judgement of a board that err kept from being judged.
func Unsure(err error) Result {
	return Result{Verdict: inspector.Unsure, Reason: "not judged: " + err.Error()}
}

// Prepare makes the model's input from a picture, which is free afterwards.
func (c *Classifier) Prepare(p inspector.Pixels) (*Input, error) {
	begun := time.Now()
	var in *Input
	select {
	case in = <-c.inputs:
	default:
		in = c.prepare.newInput()
	}
	in.width, in.height = p.Width, p.Height
	if err := c.prepare.fill(in, p); err != nil {
		recycle(c.inputs, in)
		var off *RegistrationError
		if errors.As(err, &off) {
			return nil, off // is said to the operator as it is
		}
		return nil, fmt.Errorf("prepare: %w", err)
	}
	in.took = time.Since(begun)
	return in, nil
}

// Infer runs the model, for as many goroutines at once as the session lets. The
// input is used up, whatever the outcome.
func (c *Classifier) Infer(ctx context.Context, in *Input) (*Output, error) {
	defer recycle(c.inputs, in)
	var out *Output
	select {
	case out = <-c.outputs:
	default:
		out = &Output{}
	}
	begun := time.Now()
	views, numbers := len(in.data)/c.prepare.size, c.decode.size
	out.data = slices.Grow(out.data[:0], views*numbers)[:views*numbers]
	for i := range views {
		if err := c.session.Run(ctx, in.data[i*c.prepare.size:][:c.prepare.size], out.data[i*numbers:][:numbers]); err != nil {
			recycle(c.outputs, out)
			return nil, fmt.Errorf("infer: %w", err)
		}
	}
	out.width, out.height, out.lie = in.width, in.height, in.lie
	out.prepare, out.infer = in.took, time.Since(begun)
	return out, nil
}

// Judge makes the verdict. The output is used up.
func (c *Classifier) Judge(out *Output) Result {
	defer recycle(c.outputs, out)
	begun := time.Now()
	r := c.judge(out)
	r.Timings = inspector.Timings{Prepare: out.prepare, Align: out.lie.took, Infer: out.infer, Decode: time.Since(begun)}
	return r
}

func (c *Classifier) judge(out *Output) Result {
	scored, gone, err := c.defects(out, c.limits)
	if err != nil {
		return Unsure(err)
	}
	verdict, reason, worst := c.limits.decideWithout(scored, gone, c.decode.cells)
	if doubt := out.lie.doubt(out.width, out.height); doubt != "" && verdict == inspector.Pass {
		verdict, reason = inspector.Unsure, doubt
	}
	r := Result{Verdict: verdict, Reason: reason, Score: worst.Score, LeftOut: gone.count(), Lay: out.lie.registration(out.width, out.height)}
	for _, d := range scored {
		if c.limits.rank(d) > passes {
			r.Defects = append(r.Defects, d)
		}
	}
	return r
}

// defects are those of the decoder that the recipe does not leave out, where
// they lie in the picture.
func (c *Classifier) defects(out *Output, l limits) (scored []inspector.Defect, gone leftOut, err error) {
	if scored, err = c.decode.decode(out.data, out.width, out.height, l); err != nil || !c.decode.cells {
		return scored, gone, err
	}
	scored, gone = c.area.keep(scored, l, out.width, out.height)
	for i := range scored {
		scored[i].Box = out.lie.place.box(scored[i].Box, out.width, out.height)
		out.lie.place.move(scored[i].Polygon, out.width, out.height)
	}
	return scored, gone, nil
}

// Classify is Prepare, Infer and Judge. An error becomes an unsure verdict.
func (c *Classifier) Classify(ctx context.Context, p inspector.Pixels) Result {
	in, err := c.Prepare(p)
	if err != nil {
		return Unsure(err)
	}
	took := in.took
	out, err := c.Infer(ctx, in)
	if err != nil {
		r := Unsure(err)
		r.Timings.Prepare = took
		return r
	}
	return c.Judge(out)
}

// Warm runs the model once on the golden board alone, so that the first board
// does not pay for the first run, and reports whether its output makes sense.
func (c *Classifier) Warm(ctx context.Context) error {
	in := c.prepare.newInput()
	in.data = in.data[:c.prepare.size] // the first tile, if there are several
	out, err := c.Infer(ctx, in)
	if err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	defer recycle(c.outputs, out)
	if _, err := c.decode.decode(out.data, 1, 1, c.limits); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	return nil
}

// recycle keeps v for reuse if there is room.
func recycle[T any](free chan T, v T) {
	select {
	case free <- v:
	default:
	}
}
