// Package onnxgo runs models in pure Go with onnx-go and gorgonia: slower than
// ONNX Runtime but always there. It refuses every network that onnx-go would
// compute wrongly, and rewrites what can be made right.
package onnxgo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/owulveryck/onnx-go"
	"github.com/owulveryck/onnx-go/backend/x/gorgonnx"
	"gorgonia.org/tensor"

	"inspector/model"
)

// Name of the runtime in inspections and settings.
const Name = "onnx-go"

// building guards the graph builder of onnx-go, which numbers its nodes in a
// variable of its own package without a lock.
var building sync.Mutex

// A Session runs one model. Its graph runs once at a time: other callers of
// Run wait their turn.
type Session struct {
	turn   chan struct{} // holds one token; whoever has it owns what follows
	graph  *onnx.Model
	run    func() error
	input  *tensor.Dense
	output int // numbers
	broken error
}

// Open prepares the package's network and runs it once. Its errors are
// *UnsupportedError where onnx-go cannot be trusted with an operator. The
// caller closes the session.
func Open(p *model.Package) (*Session, error) {
	if p.Graph.Opset < 9 || p.Graph.Opset > 13 {
		return nil, fmt.Errorf("onnx-go: %s is of opset %d; want 9 to 13: export it again, or choose runtime: onnxruntime", p.ID(), p.Graph.Opset)
	}
	g, err := rewrite(p.Graph)
	if err != nil {
		return nil, err
	}
	g.Inputs = slices.Clone(g.Inputs)
	g.Inputs[0].Shape = p.Input().Shape() // settles sizes that the file leaves open
	name := p.Outputs[0].Name
	g.Outputs = slices.DeleteFunc(slices.Clone(g.Outputs), func(v model.Value) bool { return v.Name != name })
	shapes, err := check(g)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(shapes[name], p.OutputShape()) {
		return nil, fmt.Errorf("onnx-go: %s gives output %q of shape %v but model.yaml says %v: correct labels or stride, or export the model again", p.ID(), name, shapes[name], p.OutputShape())
	}
	file, err := g.Encode()
	if err != nil {
		return nil, fmt.Errorf("onnx-go: cannot read %s: %w", p.ID(), err)
	}
	s := &Session{turn: make(chan struct{}, 1), output: p.OutputSize()}
	s.input = tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(ints(p.Input().Shape())...))
	if err := s.build(file); err != nil {
		return nil, fmt.Errorf("onnx-go: cannot build %s: %w", p.ID(), err)
	}
	if _, err := s.infer(); err != nil {
		return nil, fmt.Errorf("onnx-go: %s: %w", p.ID(), err)
	}
	s.turn <- struct{}{}
	return s, nil
}

func (s *Session) build(file []byte) (err error) {
	building.Lock()
	defer building.Unlock()
	defer recovered(&err)
	backend := gorgonnx.NewGraph()
	s.graph, s.run = onnx.NewModel(backend), backend.Run
	if err := s.graph.UnmarshalBinary(file); err != nil {
		return err
	}
	if err := s.graph.SetInput(0, s.input); err != nil {
		return err
	}
	return backend.PopulateExprgraph()
}

// infer runs the graph on what is in s.input. The result belongs to the graph
// until its next run.
func (s *Session) infer() (out []float32, err error) {
	defer recovered(&err)
	if err := s.graph.SetInput(0, s.input); err != nil {
		return nil, err
	}
	if err := s.run(); err != nil {
		return nil, err
	}
	tensors, err := s.graph.GetOutputTensors()
	if err != nil {
		return nil, err
	}
	out, ok := tensors[0].Data().([]float32)
	if !ok || len(out) != s.output {
		return nil, fmt.Errorf("the output holds %T of %v; want %d float32", tensors[0].Data(), tensors[0].Shape(), s.output)
	}
	return out, nil
}

// recovered makes an error of a panic inside gorgonia.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("gorgonia gave up: %v; choose runtime: onnxruntime", r)
	}
}

// Run computes out from in; lengths must be those of the package. Neither is
// touched after Run has returned. A graph cannot be interrupted: if ctx ends,
// Run returns its error at once, while the graph goes on by itself and the
// next Run or Close waits until it is done. A graph that failed stays unused:
// every later Run gives that error.
func (s *Session) Run(ctx context.Context, in, out []float32) error {
	data := s.input.Data().([]float32)
	if len(in) != len(data) || len(out) != s.output {
		return fmt.Errorf("onnx-go: %d numbers in and %d out; the model has %d and %d", len(in), len(out), len(data), s.output)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.turn:
	}
	if s.broken != nil {
		defer s.pass()
		return s.broken
	}
	copy(data, in)
	done := make(chan []float32) // nobody takes it once ctx has ended
	go func() {
		defer s.pass()
		result, err := s.infer()
		if err != nil {
			s.broken = fmt.Errorf("onnx-go: run: %w", err)
		}
		select {
		case done <- result:
			<-done // until it is copied
		case <-ctx.Done():
		}
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case result := <-done:
		defer close(done)
		copy(out, result)
		if result == nil {
			return s.broken
		}
		return nil
	}
}

func (s *Session) pass() { s.turn <- struct{}{} }

// Close waits for a run that goes on and drops the graph. Again is harmless.
func (s *Session) Close() error {
	<-s.turn
	defer s.pass()
	s.graph, s.run, s.broken = nil, nil, errors.New("onnx-go: the session is closed")
	return nil
}

func ints(s []int64) []int {
	out := make([]int, len(s))
	for i, d := range s {
		out[i] = int(d)
	}
	return out
}
