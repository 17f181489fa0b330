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
	sizes  []int // numbers of each output
	broken error
}

// Open prepares the package's network and runs it once. Its errors are
// *model.UnsupportedError where onnx-go cannot be trusted with an operator. The
// caller closes the session.
func Open(p *model.Package) (*Session, error) {
	g, err := prepared(p)
	if err != nil {
		return nil, err
	}
	file, err := g.Encode()
	if err != nil {
		return nil, fmt.Errorf("onnx-go: cannot read %s: %w", p.ID(), err)
	}
	s := &Session{turn: make(chan struct{}, 1)}
	for _, shape := range p.OutputShapes() {
		s.sizes = append(s.sizes, int(product(shape)))
	}
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

// prepared is the network as onnx-go gets it right: with the sizes and the
// outputs of the manifest.
func prepared(p *model.Package) (model.Graph, error) {
	g := p.Graph
	g.Inputs = slices.Clone(g.Inputs)
	g.Inputs[0].Shape = p.Input().Shape() // settles sizes that the file leaves open
	shapes := p.OutputShapes()
	g.Outputs = make([]model.Value, len(shapes))
	for i, out := range p.Outputs {
		g.Outputs[i] = model.Value{Name: out.Name, Type: model.Float32, Shape: shapes[i]}
	}
	g, have, err := settled(g)
	if err != nil {
		return g, err
	}
	for i, out := range p.Outputs {
		if !slices.Equal(have[out.Name], shapes[i]) {
			return g, fmt.Errorf("onnx-go: %s gives output %q of shape %v but model.yaml says %v: correct labels or stride, or export the model again", p.ID(), out.Name, have[out.Name], shapes[i])
		}
	}
	return g, nil
}

// settled brings a graph whose inputs have known sizes into the form that
// onnx-go gets right, and gives the shape of every value.
func settled(g model.Graph) (model.Graph, map[string][]int64, error) {
	g, err := rewrite(g)
	if err != nil {
		return g, nil, err
	}
	shapes, err := check(g)
	if err != nil {
		return g, nil, err
	}
	if g.Opset < 9 || g.Opset > 21 {
		return g, nil, fmt.Errorf("onnx-go: the network is of opset %d; want 9 to 21: export it again, or choose runtime: onnxruntime", g.Opset)
	}
	g.Opset = min(g.Opset, 13) // what is let through means the same in both
	return g, shapes, nil
}

// Check reports why onnx-go cannot run a network whose inputs have known
// sizes: every operator that it lacks, or the first that it would get wrong.
func Check(g model.Graph) error {
	var lacks []error
	seen := map[string]bool{}
	for _, n := range needed(g) {
		if !seen[n.Op] && !rewritten(n.Op) && (ruleOf(n.Op) == nil || n.Domain != "" && n.Domain != "ai.onnx") {
			lacks = append(lacks, unsupported(n, errNotKnown))
		}
		seen[n.Op] = true
	}
	if len(lacks) > 0 {
		return errors.Join(lacks...)
	}
	_, _, err := settled(g)
	return err
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

// infer runs the graph on what is in s.input. The results belong to the graph
// until its next run.
func (s *Session) infer() (out [][]float32, err error) {
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
	if len(tensors) != len(s.sizes) {
		return nil, fmt.Errorf("%d outputs; want %d", len(tensors), len(s.sizes))
	}
	for i, t := range tensors {
		numbers, ok := t.Data().([]float32)
		if !ok || len(numbers) != s.sizes[i] {
			return nil, fmt.Errorf("output %d holds %T of %v; want %d float32", i, t.Data(), t.Shape(), s.sizes[i])
		}
		out = append(out, numbers)
	}
	return out, nil
}

// recovered makes an error of a panic inside gorgonia.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("gorgonia gave up: %v; choose runtime: onnxruntime", r)
	}
}

// Run computes out from in; lengths must be those of the package, and outputs
// follow each other. Neither is
// touched after Run has returned. A graph cannot be interrupted: if ctx ends,
// Run returns its error at once, while the graph goes on by itself and the
// next Run or Close waits until it is done. A graph that failed stays unused:
// every later Run gives that error.
func (s *Session) Run(ctx context.Context, in, out []float32) error {
	data := s.input.Data().([]float32)
	size := 0
	for _, n := range s.sizes {
		size += n
	}
	if len(in) != len(data) || len(out) != size {
		return fmt.Errorf("onnx-go: %d numbers in and %d out; the model has %d and %d", len(in), len(out), len(data), size)
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
	done := make(chan [][]float32) // nobody takes it once ctx has ended
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
		for _, numbers := range result {
			out = out[copy(out, numbers):]
		}
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
