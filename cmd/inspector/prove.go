package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"inspector/classify"
	"inspector/model"
	"inspector/model/onnxgo"
	"inspector/model/onnxruntime"
	"inspector/model/remote"
)

// openSession starts the runtime that the configuration names. With auto it is
// ONNX Runtime where its library is, else onnx-go. Nothing is proven but the
// connections of a server over gRPC.
func openSession(ctx context.Context, p *model.Package, c ModelConfig) (session, string, error) {
	var errs []error
	for _, runtime := range slices.Concat(runtimes(c)...) {
		s, err := startSession(ctx, runtime, p, c)
		if err == nil {
			return s, runtime, nil
		}
		errs = append(errs, err)
		var missing *onnxruntime.MissingError
		if !errors.As(err, &missing) {
			break
		}
	}
	return nil, "", errors.Join(errs...)
}

// runtimes to try: those of a later list are slower than any of one before.
func runtimes(c ModelConfig) [][]string {
	switch {
	case c.Runtime != "auto":
		return [][]string{{c.Runtime}}
	case c.Remote != "":
		return [][]string{{onnxruntime.Name, remote.Name}, {onnxgo.Name}}
	}
	return [][]string{{onnxruntime.Name}, {onnxgo.Name}}
}

func startSession(ctx context.Context, runtime string, p *model.Package, c ModelConfig) (session, error) {
	switch runtime {
	case onnxgo.Name:
		return wrapped(onnxgo.OpenPool(p, max(c.Sessions, 1)))
	case remote.Name:
		prove := func(ctx context.Context, s *remote.Session) error {
			_, err := classify.Prove(ctx, p, s, 0)
			return err
		}
		return wrapped(remote.Open(ctx, p, remote.Options{URL: c.Remote, JSON: c.RemoteJSON, CAFile: c.RemoteCA, Prove: prove}))
	}
	return wrapped(onnxruntime.Open(c.Library, p, onnxruntime.Options{Threads: c.Threads, NoArena: !c.Arena}))
}

// wrapped keeps a nil session a nil interface.
func wrapped[S session](s S, err error) (session, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// variants to try. With auto they are all that the package has; a server has
// the one that somebody put there, so it is taken for the package's file.
func variants(c ModelConfig, p *model.Package, runtime string) []string {
	if c.Variant != "auto" {
		return []string{c.Variant}
	}
	if runtime == remote.Name {
		return []string{model.FP32}
	}
	out := []string{model.FP32}
	for name := range p.Variants {
		out = append(out, name)
	}
	slices.Sort(out[1:])
	return out
}

// openProven gives who judges with the package: the runtime and the variant of
// the configuration, which prove themselves first. With auto it is the fastest
// pair, measured here, of those that do; onnx-go is slower than ONNX Runtime
// always, so it is tried only if that cannot do it.
func openProven(ctx context.Context, r *model.Registry, p *model.Package, c ModelConfig, takt time.Duration) (*judge, error) {
	var errs []error
	for _, alike := range runtimes(c) {
		best, err := fastest(ctx, r, p, alike, c, takt)
		if best != nil || ctx.Err() != nil {
			return best, ctx.Err()
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// fastest gives the pair of one of the runtimes and a variant that proves
// itself in the least time; none, and why, if none does.
func fastest(ctx context.Context, r *model.Registry, p *model.Package, runtimes []string, c ModelConfig, takt time.Duration) (best *judge, _ error) {
	var errs []error
	for _, runtime := range runtimes {
		for _, variant := range variants(c, p, runtime) {
			g, err := tryOne(ctx, r, p, runtime, variant, c, takt)
			switch {
			case ctx.Err() != nil:
				return nil, errors.Join(ctx.Err(), closeJudge(best), closeJudge(g))
			case err != nil:
				errs = append(errs, err)
			case best == nil || g.proof.Median < best.proof.Median:
				errs, best = append(errs, closeJudge(best)), g
			default:
				errs = append(errs, closeJudge(g))
			}
		}
	}
	return best, errors.Join(errs...)
}

func closeJudge(g *judge) error {
	if g == nil {
		return nil
	}
	return g.session.Close()
}

// tryOne opens and proves one variant in one runtime.
func tryOne(ctx context.Context, r *model.Registry, p *model.Package, runtime, variant string, c ModelConfig, takt time.Duration) (*judge, error) {
	p, err := r.In(variant, p)
	if err != nil {
		return nil, err
	}
	s, err := startSession(ctx, runtime, p, c)
	if err != nil {
		return nil, err
	}
	proof, err := classify.Prove(ctx, p, s, takt)
	if err == nil && c.RequireVectors && proof.Vectors == 0 {
		err = &classify.ProofError{Model: p.ID(), Err: errors.New("it brings no test vectors, and model.require_vectors asks for them; see models/README.md")}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", runtime, err), s.Close())
	}
	return &judge{pkg: p, runtime: runtime, session: s, proof: proof}, nil
}
