package classify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"inspector"
	"inspector/model"
)

// A Proof is how a model did before it may judge.
type Proof struct {
	Vectors, Stills int           // that it reproduced, and judged right
	Worst           float32       // greatest difference from a number that the package expects; of an output above 1, the part of it
	Median, P95     time.Duration // of one board, prepared, inferred and decoded; 0 if not measured
}

// A ProofError says why a model may not judge on this machine.
type ProofError struct {
	Model string
	Err   error
}

func (e *ProofError) Error() string { return fmt.Sprintf("model %s is refused: %v", e.Model, e.Err) }

// Unwrap gives the reason.
func (e *ProofError) Unwrap() error { return e.Err }

// Permanent tells whoever retries not to.
func (e *ProofError) Permanent() bool { return true }

// What a model is refused for, inside a *ProofError.
var (
	ErrVector = errors.New("this runtime does not compute what the package says; choose another runtime, or export the package again")
	ErrStill  = errors.New("a golden still is judged wrong; correct goldens or thresholds in model.yaml, or train the model again")
	ErrSlow   = errors.New("the model is too slow for the takt limit; raise trigger.takt, use a faster variant or runtime, or a smaller model")
)

// Prove has p, which runs in s, show that it may judge: that it reproduces the
// package's vectors, twice each, that it judges the golden stills right, and,
// if takt is not 0, that the 95th percentile of a board's time is within it.
// It warms the model. Its errors are *ProofError, or that of ctx.
func Prove(ctx context.Context, p *model.Package, s session, takt time.Duration) (Proof, error) {
	pr := prover{pkg: p, session: s}
	for _, step := range []func(context.Context) error{pr.pictures, pr.tensors, pr.stills} {
		if err := step(ctx); err != nil {
			return pr.Proof, pr.refuse(ctx, err)
		}
	}
	if takt == 0 {
		return pr.Proof, nil
	}
	if err := pr.measure(ctx); err != nil {
		return pr.Proof, pr.refuse(ctx, err)
	}
	if pr.P95 > takt {
		return pr.Proof, pr.refuse(ctx, fmt.Errorf("95 of 100 boards take up to %v, and the takt limit is %v: %w", pr.P95.Round(time.Millisecond), takt, ErrSlow))
	}
	return pr.Proof, nil
}

// A prover is a proof on its way.
type prover struct {
	Proof
	pkg       *model.Package
	session   session
	tolerance float32 // of the vector in hand
}

// concerns reports whether a vector is one to reproduce, and how closely.
func (p *prover) concerns(variant string) (ok bool) {
	p.tolerance, ok = p.pkg.ToleranceFor(variant)
	return ok
}

func (p *prover) refuse(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &ProofError{p.pkg.ID(), err}
}

// pictures reproduces what the model said at its export, from the picture on.
func (p *prover) pictures(ctx context.Context) error {
	for _, v := range p.pkg.Proof.Pictures {
		if !p.concerns(v.Variant) {
			continue
		}
		c, tested, err := p.classifier(v.Tested, v.Golden, Tone(v.Copper))
		if err != nil {
			return fmt.Errorf("%s: %w", v.Name, err)
		}
		// Low limits, so that every defect that is expected is listed.
		least := model.ExpectedScore - p.tolerance
		c.limits = limits{all: Limits{Fail: least, Pass: least}}
		for range 2 { // a runtime may be right once only
			if err := p.picture(ctx, c, tested, v); err != nil {
				return fmt.Errorf("%s: %w", v.Name, err)
			}
		}
		p.Vectors++
	}
	return nil
}

func (p *prover) picture(ctx context.Context, c *Classifier, tested inspector.Pixels, v model.PictureVector) error {
	in, err := c.Prepare(tested)
	if err != nil {
		return err
	}
	out, err := c.Infer(ctx, in)
	if err != nil {
		return err
	}
	means := channelMeans(out.data, len(v.Mean))
	r := c.Judge(out)
	if means == nil {
		return fmt.Errorf("output_mean has %d numbers, which do not divide the output of %d: %w", len(v.Mean), p.pkg.OutputSize(), ErrVector)
	}
	for i, want := range v.Mean {
		if err := p.near(fmt.Sprintf("the mean of output channel %d", i), means[i], want, 1); err != nil {
			return err
		}
	}
	return p.defects(r.Defects, v.Defects)
}

// near compares two numbers in units of unit; what is not a number is near
// nothing.
func (p *prover) near(what string, have, want, unit float32) error {
	d := float32(math.Abs(float64(have)-float64(want)) / float64(unit))
	if d > p.Worst {
		p.Worst = d
	}
	if d <= p.tolerance {
		return nil
	}
	return fmt.Errorf("%s is %v and should be %v, within %v: %w", what, have, want, p.tolerance*unit, ErrVector)
}

// defects compares what was found with what is expected. Those whose score is
// near the least that is listed may be on either side of it.
func (p *prover) defects(have []inspector.Defect, want []model.ExpectedDefect) error {
	unseen := slices.Clone(have)
	for _, w := range want {
		box := inspector.Box{Left: w.Box[0], Top: w.Box[1], Right: w.Box[2], Bottom: w.Box[3]}
		i := slices.IndexFunc(unseen, func(d inspector.Defect) bool {
			return d.Class == w.Class && overlap(d.Box, box) > 1-4*min(p.tolerance+0.0025, 0.1)
		})
		if i < 0 {
			if w.Score < model.ExpectedScore+p.tolerance {
				continue
			}
			return fmt.Errorf("a %s of score %v at %v is not found where it should be: %w", w.Class, w.Score, w.Box, ErrVector)
		}
		if err := p.near("the score of "+w.Class, unseen[i].Score, w.Score, 1); err != nil {
			return err
		}
		unseen = slices.Delete(unseen, i, i+1)
	}
	for _, d := range unseen {
		if d.Score >= model.ExpectedScore+p.tolerance {
			return fmt.Errorf("a %s of score %v at %v is found and should not be: %w", d.Class, d.Score, d.Box, ErrVector)
		}
	}
	return nil
}

// tensors reproduces outputs from inputs, number by number.
func (p *prover) tensors(ctx context.Context) error {
	for _, v := range p.pkg.Proof.Tensors {
		if !p.concerns(v.Variant) {
			continue
		}
		if len(v.Input) != p.pkg.InputSize() || len(v.Output) != p.pkg.OutputSize() {
			return fmt.Errorf("%s: %d numbers in and %d out, where the model has %d and %d: %w", v.Name, len(v.Input), len(v.Output), p.pkg.InputSize(), p.pkg.OutputSize(), ErrVector)
		}
		out := make([]float32, len(v.Output))
		for range 2 {
			if err := p.session.Run(ctx, slices.Clone(v.Input), out); err != nil {
				return fmt.Errorf("%s: %w", v.Name, err)
			}
			for i, want := range v.Output {
				unit := max(1, float32(math.Abs(float64(want)))) // a box in pixels has fewer digits behind the point
				if err := p.near(fmt.Sprintf("output %d", i), out[i], want, unit); err != nil {
					return fmt.Errorf("%s: %w", v.Name, err)
				}
			}
		}
		p.Vectors++
	}
	return nil
}

// stills has the golden stills judged at the package's own thresholds.
func (p *prover) stills(ctx context.Context) error {
	for _, g := range p.pkg.Proof.Stills {
		c, tested, err := p.classifier(g.Tested, g.Good, Tone(g.Copper))
		if err != nil {
			return fmt.Errorf("golden still %s: %w", g.Still, err)
		}
		if r := c.Classify(ctx, tested); string(r.Verdict) != g.Verdict {
			return fmt.Errorf("golden still %s is %s (%s) and should %s: %w", g.Still, r.Verdict, r.Reason, g.Verdict, ErrStill)
		}
		p.Stills++
	}
	return nil
}

// classifier judges by the package's own pictures.
func (p *prover) classifier(tested, golden []byte, copper Tone) (*Classifier, inspector.Pixels, error) {
	px, err := decodePicture(tested)
	if err != nil {
		return nil, px, err
	}
	r := Recipe{Name: "proof", Copper: copper}
	if copper == "" {
		r.Copper = Dark
	}
	if golden != nil {
		if r.Golden, err = decodePicture(golden); err != nil {
			return nil, px, err
		}
	}
	c, err := New(p.pkg, p.session, r)
	return c, px, err
}

// How many boards are measured: fewer if they take long.
const (
	mostMeasured  = 20
	leastMeasured = 3
	longMeasured  = 2 * time.Second
)

// measure times boards of the warmed model.
func (p *prover) measure(ctx context.Context) error {
	one, err := p.board(ctx)
	if err != nil {
		return err
	}
	if err := one(); err != nil { // warms
		return err
	}
	var took []time.Duration
	for begun := time.Now(); len(took) < leastMeasured || len(took) < mostMeasured && time.Since(begun) < longMeasured; {
		began := time.Now()
		if err := one(); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	p.Median, p.P95 = took[len(took)/2], took[(len(took)*95+99)/100-1]
	return nil
}

// board gives what one board takes: all of it if the package brings a picture,
// else the network alone on zeros.
func (p *prover) board(ctx context.Context) (func() error, error) {
	if pictures := p.pkg.Proof.Pictures; len(pictures) > 0 {
		c, tested, err := p.classifier(pictures[0].Tested, pictures[0].Golden, Tone(pictures[0].Copper))
		if err != nil {
			return nil, err
		}
		return func() error {
			in, err := c.Prepare(tested)
			if err != nil {
				return err
			}
			out, err := c.Infer(ctx, in)
			if err == nil {
				c.Judge(out)
			}
			return err
		}, nil
	}
	in, out := make([]float32, p.pkg.InputSize()), make([]float32, p.pkg.OutputSize())
	return func() error { return p.session.Run(ctx, in, out) }, nil
}
