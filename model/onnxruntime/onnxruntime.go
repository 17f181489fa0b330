// Package onnxruntime runs models with ONNX Runtime, whose shared library it
// loads when the first session is opened.
package onnxruntime

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"inspector/model"
)

// Name of the runtime in inspections and settings.
const Name = "onnxruntime"

// EnvLibrary names the environment variable that Find looks at first.
const EnvLibrary = "INSPECTOR_ONNXRUNTIME"

// A MissingError says that the shared library is not on this machine.
type MissingError struct {
	Tried []string
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("onnxruntime: no shared library at any of %q; run 'make onnxruntime', set %s to its path, or choose runtime: onnx-go", e.Tried, EnvLibrary)
}

// Permanent tells whoever retries not to.
func (e *MissingError) Permanent() bool { return true }

// Find gives the path of the shared library: what the environment variable
// INSPECTOR_ONNXRUNTIME says, else the first libonnxruntime.so* in lib beside
// the executable, /usr/lib, /usr/lib/<machine>-linux-gnu or /usr/local/lib. If
// there is none, the error is a *MissingError. An environment variable that
// names no file is an error and not a reason to look elsewhere.
func Find() (string, error) {
	if path := os.Getenv(EnvLibrary); path != "" {
		if err := present(path); err != nil {
			return "", fmt.Errorf("onnxruntime: %s is %q: %w", EnvLibrary, path, &MissingError{[]string{path}})
		}
		return path, nil
	}
	patterns := []string{"/usr/lib/libonnxruntime.so*", "/usr/lib/*-linux-gnu/libonnxruntime.so*", "/usr/local/lib/libonnxruntime.so*"}
	if exe, err := os.Executable(); err == nil {
		patterns = append([]string{filepath.Join(filepath.Dir(exe), "lib", "libonnxruntime.so*")}, patterns...)
	}
	for _, p := range patterns {
		found, _ := filepath.Glob(p) // the patterns are well formed
		for _, path := range found {
			if present(path) == nil {
				return path, nil
			}
		}
	}
	return "", &MissingError{patterns}
}

func present(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrInvalid
	}
	return err
}

// environment is ONNX Runtime itself, of which a process can have one; its C
// library keeps it in global variables.
var environment struct {
	sync.Mutex
	library string // that was loaded
}

// start loads the library once per process. It is never unloaded: sessions
// may be opened again at any time.
func start(library string) error {
	environment.Lock()
	defer environment.Unlock()
	switch {
	case environment.library == library:
		return nil
	case environment.library != "":
		return fmt.Errorf("onnxruntime: %s is loaded already, cannot load %s beside it; restart with the other path", environment.library, library)
	}
	if err := present(library); err != nil {
		return &MissingError{[]string{library}}
	}
	ort.SetSharedLibraryPath(library)
	if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
		return fmt.Errorf("onnxruntime: cannot use %s: %w; get version 1.24.3 to 1.27.0 for this machine with 'make onnxruntime'", library, err)
	}
	environment.library = library
	if err := ort.DisableTelemetry(); err != nil {
		return fmt.Errorf("onnxruntime: disable telemetry: %w", err)
	}
	return nil
}

// Options of a session.
type Options struct {
	Threads int  // that share one inference; 0 is 1
	NoArena bool // give memory back after each inference: slower, but less is held
}

// A Session runs one model. It may be used by several goroutines at once.
type Session struct {
	session *ort.DynamicAdvancedSession
	input   ort.Shape
	outputs []ort.Shape
	bytes   *sync.Pool // of *[]uint8, for a network that takes such; else nil

	running sync.RWMutex // held shared by Run, exclusively by Close
	closed  bool
}

// Open loads the shared library, empty for the one that Find gives, and
// prepares the package's network. The caller closes the session. All sessions
// of a process use the same library.
func Open(library string, p *model.Package, o Options) (*Session, error) {
	if library == "" {
		var err error
		if library, err = Find(); err != nil {
			return nil, err
		}
	}
	if err := start(library); err != nil {
		return nil, err
	}
	options, err := sessionOptions(o)
	if err != nil {
		return nil, fmt.Errorf("onnxruntime: set options: %w", err)
	}
	defer options.Destroy()
	names := make([]string, len(p.Outputs))
	for i, out := range p.Outputs {
		names[i] = out.Name
	}
	session, err := ort.NewDynamicAdvancedSessionWithONNXData(p.ONNX, []string{p.Input().Name}, names, options)
	if err != nil {
		return nil, refusal(p, err)
	}
	s := &Session{session: session, input: ort.Shape(p.Input().Shape())}
	for _, shape := range p.OutputShapes() {
		s.outputs = append(s.outputs, ort.Shape(shape))
	}
	if p.Input().Element() == model.Uint8 {
		n := p.InputSize()
		s.bytes = &sync.Pool{New: func() any { b := make([]uint8, n); return &b }}
	}
	return s, nil
}

// Check reports why ONNX Runtime cannot run a network, whose file this is.
func Check(library string, g model.Graph, onnx []byte) error {
	if unknown := model.Unknown(g, Name); unknown != nil {
		return unknown
	}
	if err := start(library); err != nil {
		return err
	}
	names := func(vs []model.Value) (out []string) {
		for _, v := range vs {
			out = append(out, v.Name)
		}
		return out
	}
	options, err := sessionOptions(Options{})
	if err != nil {
		return fmt.Errorf("onnxruntime: set options: %w", err)
	}
	defer options.Destroy()
	s, err := ort.NewDynamicAdvancedSessionWithONNXData(onnx, names(g.Inputs), names(g.Outputs), options)
	if err != nil {
		return fmt.Errorf("onnxruntime: cannot load the network: %w", err)
	}
	return s.Destroy()
}

// refusal says why ONNX Runtime cannot load p: an operator that no runtime
// knows, or what the library said.
func refusal(p *model.Package, err error) error {
	if unknown := model.Unknown(p.Graph, Name); unknown != nil {
		return unknown
	}
	return fmt.Errorf("onnxruntime: cannot load %s: %w", p.ID(), err)
}

// sessionOptions: threads that spin between inferences would take the cores
// from capture and workflow.
func sessionOptions(want Options) (*ort.SessionOptions, error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		o.SetIntraOpNumThreads(max(want.Threads, 1)),
		o.SetCpuMemArena(!want.NoArena),
		o.SetInterOpNumThreads(1),
		o.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"),
		o.AddSessionConfigEntry("session.inter_op.allow_spinning", "0"),
	)
	if err != nil {
		return nil, errors.Join(err, o.Destroy())
	}
	return o, nil
}

// Run computes out from in, without copying either unless the network takes
// uint8: lengths must be those of the package, and outputs follow each other. It returns only when the network no longer touches them. If ctx
// ends, the network stops at its next operator and the error is ctx's; out is
// then undefined.
func (s *Session) Run(ctx context.Context, in, out []float32) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	size := int64(0)
	for _, shape := range s.outputs {
		size += shape.FlattenedSize()
	}
	if n := s.input.FlattenedSize(); int64(len(in)) != n || int64(len(out)) != size {
		return fmt.Errorf("onnxruntime: %d numbers in and %d out; the model has %d and %d", len(in), len(out), n, size)
	}
	s.running.RLock()
	defer s.running.RUnlock()
	if s.closed {
		return errors.New("onnxruntime: the session is closed")
	}
	var pin runtime.Pinner // the library holds the addresses during the run
	pin.Pin(&out[0])
	defer pin.Unpin()
	input, free, err := s.wrap(in, &pin)
	if err != nil {
		return fmt.Errorf("onnxruntime: wrap input: %w", err)
	}
	defer free()
	outputs := make([]ort.Value, 0, len(s.outputs))
	defer func() {
		for _, o := range outputs {
			err = errors.Join(err, o.Destroy())
		}
	}()
	for _, shape := range s.outputs {
		n := shape.FlattenedSize()
		o, err := ort.NewTensor(shape, out[:n:n])
		if err != nil {
			return fmt.Errorf("onnxruntime: wrap output: %w", err)
		}
		outputs, out = append(outputs, o), out[n:]
	}
	err = s.run(ctx, input, outputs)
	runtime.KeepAlive(input)
	runtime.KeepAlive(outputs)
	return err
}

// wrap is the input as the network takes it. The caller frees it after the run.
func (s *Session) wrap(in []float32, pin *runtime.Pinner) (v ort.Value, free func(), err error) {
	if s.bytes == nil {
		pin.Pin(&in[0])
		t, err := ort.NewTensor(s.input, in)
		if err != nil {
			return nil, nil, err
		}
		return t, func() { _ = t.Destroy() }, nil // nothing is lost if it fails
	}
	b := s.bytes.Get().(*[]uint8)
	for i, v := range in {
		(*b)[i] = uint8(min(max(v, 0), 255))
	}
	pin.Pin(&(*b)[0])
	t, err := ort.NewTensor(s.input, *b)
	if err != nil {
		return nil, nil, err
	}
	return t, func() { _ = t.Destroy(); s.bytes.Put(b) }, nil
}

func (s *Session) run(ctx context.Context, in ort.Value, out []ort.Value) error {
	options, err := ort.NewRunOptions()
	if err != nil {
		return fmt.Errorf("onnxruntime: set options of a run: %w", err)
	}
	defer options.Destroy()
	told := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(told)
		_ = options.Terminate() // fails only for options that are destroyed
	})
	err = s.session.RunWithOptions([]ort.Value{in}, out, options)
	if !stop() {
		<-told // options must outlive it
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("onnxruntime: run: %w", err)
	}
	return nil
}

// Close frees the network once the runs that have begun are over. Again is
// harmless.
func (s *Session) Close() error {
	s.running.Lock()
	defer s.running.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.session.Destroy()
}
