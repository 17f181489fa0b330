// Package remote runs models on a server that speaks the Open Inference
// Protocol, version 2, over HTTP or gRPC, such as Triton, KServe or OpenVINO
// Model Server: one pool of them serves lines that outgrow one machine.
package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"inspector/model"
)

// Name of the runtime in inspections and settings.
const Name = "remote"

// Options of a session.
type Options struct {
	// URL of the model: SCHEME://HOST:PORT/v2/models/NAME, or with
	// /versions/VERSION. http and https speak the protocol over HTTP, grpc and
	// grpcs over gRPC. Without a path it is the model of the package's name.
	URL     string
	JSON    bool          // http: numbers as JSON, for a server without the binary extension: slower
	CAFile  string        // PEM of the authority that https and grpcs trust; empty: the system's
	Timeout time.Duration // of one inference; 0 is 10 s
	// Prove, if there is one, says whether the server behind the session, which is
	// of one connection and of no use afterwards, may judge. grpc and grpcs: every
	// connection is proven before it is used, until the session closes. It may be
	// called by several goroutines at once.
	Prove func(context.Context, *Session) error

	lookup func(ctx context.Context, host string) ([]string, error) // nil: the system's
}

// A Session runs one model on a server. It may be used by several goroutines
// at once: each inference is a request of its own.
type Session struct {
	link    inferrer
	network *network
	timeout time.Duration
}

// An inferrer computes. Its methods may be called by several goroutines at once.
type inferrer interface {
	// infer touches neither slice after it has returned.
	infer(ctx context.Context, in, out []float32) error
	close() error
}

// A link speaks one form of the protocol.
type link interface {
	inferrer
	ready(context.Context) error
	// metadata gives inputs and outputs as the server has them; none if it does
	// not say.
	metadata(context.Context) (inputs, outputs []tensor, err error)
}

// Open asks the server whether the model is ready and has the inputs and
// outputs of the package. Where they differ, the error is a
// *model.MismatchError; where the server says no, a *ServerError. Over gRPC,
// one server of those that the name has must do, and prove itself. The caller
// closes the session.
func Open(ctx context.Context, p *model.Package, o Options) (*Session, error) {
	a, err := parseAddress(o.URL, p.Name)
	if err != nil {
		return nil, err
	}
	trust, err := trusted(o.CAFile)
	if err != nil {
		return nil, err
	}
	s := &Session{network: networkOf(p, a.shown), timeout: o.Timeout}
	if s.timeout == 0 {
		s.timeout = 10 * time.Second
	}
	if a.overGRPC() {
		err = s.openGRPC(ctx, a, trust, o)
	} else {
		l := openHTTP(a, s.network, trust, o.JSON)
		s.link, err = l, s.admit(ctx, l)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Session) openGRPC(ctx context.Context, a address, trust *tls.Config, o Options) error {
	pool := (&pool{
		network: s.network, host: a.Hostname(), port: a.Port(), lookup: o.lookup,
		dial: func(at string) (*grpcLink, error) { return dialGRPC(a, at, s.network, trust) },
		admit: func(ctx context.Context, l link) error {
			if err := s.admit(ctx, l); err != nil || o.Prove == nil {
				return err
			}
			return o.Prove(ctx, &Session{link: l, network: s.network, timeout: s.timeout})
		},
	}).rest(ctx)
	if pool.lookup == nil {
		pool.lookup = net.DefaultResolver.LookupHost
	}
	s.link = pool
	l, err := pool.take(ctx)
	if err != nil {
		return err
	}
	return pool.leave(l, nil)
}

// admit asks whether the server has the package's network ready.
func (s *Session) admit(ctx context.Context, l link) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := l.ready(ctx); err != nil {
		return err
	}
	inputs, outputs, err := l.metadata(ctx)
	if err != nil {
		return err
	}
	return s.network.fits(inputs, outputs)
}

// trusted is how the server proves who it is; nil is what the system trusts.
func trusted(file string) (*tls.Config, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("remote: model.remote_ca: %w", err)
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	if !t.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("remote: model.remote_ca: %s holds no PEM certificate", file)
	}
	return t, nil
}

// Run has the server compute out from in; lengths must be those of the
// package. Neither is touched after Run has returned. It gives up when ctx
// ends or the timeout is over.
func (s *Session) Run(ctx context.Context, in, out []float32) error {
	if n := s.network; len(in) != n.in || len(out) != n.out {
		return fmt.Errorf("remote: %d numbers in and %d out; the model has %d and %d", len(in), len(out), n.in, n.out)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return s.link.infer(ctx, in, out)
}

// Close lets go of the connections. Again is harmless.
func (s *Session) Close() error { return s.link.close() }

// A network is the package's, as the protocol says it. Nobody writes to it.
type network struct {
	url     string // for errors
	input   tensor
	outputs []tensor
	in, out int // numbers
}

func networkOf(p *model.Package, url string) *network {
	n := &network{url: url, in: p.InputSize(), out: p.OutputSize(), input: tensor{p.Input().Name, "FP32", p.Input().Shape()}}
	if p.Input().Element() == model.Uint8 {
		n.input.Type = "UINT8"
	}
	for i, shape := range p.OutputShapes() {
		n.outputs = append(n.outputs, tensor{p.Outputs[i].Name, "FP32", shape})
	}
	return n
}

// mostBytes that an answer may have: numbers as text, and what is said around
// them.
func (n *network) mostBytes() int { return 1<<20 + 32*n.out }

// fits compares what the server has with what the package says.
func (n *network) fits(inputs, outputs []tensor) error {
	var errs []error
	if len(inputs) > 0 {
		errs = append(errs, n.fit("input", n.input, inputs))
	}
	for _, want := range n.outputs {
		if len(outputs) > 0 {
			errs = append(errs, n.fit("output", want, outputs))
		}
	}
	return errors.Join(errs...)
}

func (n *network) fit(kind string, want tensor, have []tensor) error {
	const remedy = "put the package's network on the server, or correct model.remote"
	i := slices.IndexFunc(have, func(t tensor) bool { return t.Name == want.Name })
	if i < 0 {
		return &model.MismatchError{Kind: kind, Name: want.Name, Reason: fmt.Sprintf("is not in the model at %s: %s", n.url, remedy)}
	}
	if t := have[i]; t.Type != want.Type || !t.allows(want.Shape) {
		return &model.MismatchError{Kind: kind, Name: want.Name, Reason: fmt.Sprintf("is %s %v at %s; want %s %v: %s", t.Type, t.Shape, n.url, want.Type, want.Shape, remedy)}
	}
	return nil
}
