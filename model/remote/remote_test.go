package remote

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"inspector/model"
	"inspector/model/modeltest"
	"inspector/model/onnxgo"
	"inspector/model/onnxruntime"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const folder = "../testdata/models"

// local runs the package here: in ONNX Runtime where its library is.
func local(t *testing.T, p *model.Package) modeltest.Run {
	t.Helper()
	if library, err := onnxruntime.Find(); err == nil {
		s, err := onnxruntime.Open(library, p, onnxruntime.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s.Run
	}
	s, err := onnxgo.OpenPool(p, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.Run
}

// serveHTTP is an inference server; spoil, if there is one, comes first.
func serveHTTP(t *testing.T, p *model.Package, spoil func(http.Handler) http.Handler) string {
	t.Helper()
	h := modeltest.HTTP(p, local(t, p))
	if spoil != nil {
		h = spoil(h)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func open(t *testing.T, p *model.Package, o Options) *Session {
	t.Helper()
	s, err := Open(t.Context(), p, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func numbersFor(p *model.Package) (in, out []float32) {
	in = modeltest.Noise(rand.New(rand.NewPCG(1, 2)), p.InputSize())
	if p.Input().Element() == model.Uint8 {
		for i := range in {
			in[i] = float32(int(in[i] * 256))
		}
	}
	return in, make([]float32, p.OutputSize())
}

// A server says what the model says here, in every form of the protocol, for
// every type of input, and for one output of several.
func TestSameAsHere(t *testing.T) {
	for _, name := range []string{"detector", "multilabel", "anomaly"} {
		p := modeltest.Find(t, folder, name)
		if _, err := onnxruntime.Find(); err != nil && name == "anomaly" {
			continue // needs it
		}
		run := local(t, p)
		in, want := numbersFor(p)
		if err := run(t.Context(), in, want); err != nil {
			t.Fatal(err)
		}
		http, overGRPC := serveHTTP(t, p, nil), "grpc://"+modeltest.ServeGRPC(t, p, run)
		for form, o := range map[string]Options{
			"HTTP":            {URL: http},
			"HTTP with path":  {URL: http + "/v2/models/" + name + "/"},
			"JSON":            {URL: http, JSON: true},
			"gRPC":            {URL: overGRPC},
			"gRPC with path":  {URL: overGRPC + "/v2/models/" + name},
			"gRPC of version": {URL: overGRPC + "/v2/models/" + name + "/versions/1"},
		} {
			t.Run(name+" over "+form, func(t *testing.T) {
				s := open(t, p, o)
				_, out := numbersFor(p)
				for range 2 {
					clear(out)
					if err := s.Run(t.Context(), in, out); err != nil || !slices.Equal(out, want) {
						t.Errorf("%v, %v; want %v", err, out[:2], want[:2])
					}
				}
				if s.Run(t.Context(), in[1:], out) == nil || s.Run(t.Context(), in, out[1:]) == nil {
					t.Error("too few numbers were taken")
				}
			})
		}
	}
}

// Each inference is a request of its own: several goroutines share a session.
func TestConcurrent(t *testing.T) {
	p := modeltest.Find(t, folder, "detector")
	run := local(t, p)
	for _, url := range []string{serveHTTP(t, p, nil), "grpc://" + modeltest.ServeGRPC(t, p, run)} {
		s := open(t, p, Options{URL: url})
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				in := modeltest.Noise(rand.New(rand.NewPCG(uint64(i), 0)), p.InputSize())
				want, out := make([]float32, p.OutputSize()), make([]float32, p.OutputSize())
				if err := run(t.Context(), in, want); err != nil {
					t.Error(err)
				}
				for range 5 {
					if err := s.Run(t.Context(), in, out); err != nil || !slices.Equal(out, want) {
						t.Errorf("%v; or the numbers of another board", err)
					}
				}
			})
		}
		all.Wait()
	}
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"http://pool:8000/v2/models/pcb":            "",
		"https://pool":                              "",
		"grpc://pool:8001":                          "",
		"grpcs://pool:8001/v2/models/a/versions/2/": "",
		"grpc://[::1]:8001":                         "",
		"":                                          "scheme",
		"pool:8000":                                 "scheme",
		"ftp://pool:21":                             "scheme",
		"http://":                                   "HOST",
		"http://pool/v2/models/pcb?x=1":             "HOST",
		"grpc://pool":                               "port",
		"grpc://pool:8001/pcb":                      "/v2/models/NAME",
		"grpc://user:secret@pool:8001/v2/models/pcb": "user",
		"ftp://user:secret@pool":                     "scheme",
		"http://user:secret@po ol":                   "no address",
	} {
		err := CheckURL(text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "model.remote")) {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the password is in the error: %v", text, err)
		}
	}
	p := modeltest.Find(t, folder, "detector")
	if _, err := Open(t.Context(), p, Options{URL: "ftp://pool"}); err == nil {
		t.Error("an address that is none was opened")
	}
}

// What the server has is compared with the package before any board.
func TestOtherModelOnTheServer(t *testing.T) {
	p := modeltest.Find(t, folder, "detector")
	run := local(t, p)
	urls := []string{serveHTTP(t, p, nil), "grpc://" + modeltest.ServeGRPC(t, p, run)}
	for name, change := range map[string]func(*model.Package){
		"input's shape":  func(p *model.Package) { p.Inputs[0].Width = 1024 },
		"input's type":   func(p *model.Package) { p.Inputs[0].Type = "uint8" },
		"input's name":   func(p *model.Package) { p.Inputs[0].Name = "image" },
		"output's shape": func(p *model.Package) { p.Labels = append(slices.Clone(p.Labels), "more") },
		"output's name":  func(p *model.Package) { p.Outputs[0].Name = "boxes" },
	} {
		other := *p
		other.Inputs, other.Outputs = slices.Clone(p.Inputs), slices.Clone(p.Outputs)
		change(&other)
		for _, url := range urls {
			var mismatch *model.MismatchError
			if _, err := Open(t.Context(), &other, Options{URL: url}); !errors.As(err, &mismatch) || !strings.Contains(err.Error(), "model.remote") {
				t.Errorf("%s at %s: error is %v", name, url, err)
			}
		}
	}
}

// A model that is not there, a server that is not there, a server that never
// answers: each is told, and in time.
func TestNotReadyAndTooLate(t *testing.T) {
	p := modeltest.Find(t, folder, "detector")
	over := make(chan struct{})
	stuck := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/infer") {
				<-over
			}
			next.ServeHTTP(w, r)
		})
	}
	hang := grpc.UnaryInterceptor(func(ctx context.Context, r any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if strings.HasSuffix(info.FullMethod, "/ModelInfer") {
			<-over
		}
		return next(ctx, r)
	})
	for _, url := range []string{serveHTTP(t, p, stuck), "grpc://" + modeltest.ServeGRPC(t, p, local(t, p), hang)} {
		var no *ServerError
		if _, err := Open(t.Context(), p, Options{URL: url + "/v2/models/other"}); !errors.As(err, &no) || !no.Missing || !strings.Contains(err.Error(), "load the model") {
			t.Errorf("%s, another model: %v", url, err)
		}
		scheme, _, _ := strings.Cut(url, ":")
		if _, err := Open(t.Context(), p, Options{URL: scheme + "://127.0.0.1:1"}); err == nil || !strings.Contains(err.Error(), "can be reached") {
			t.Errorf("nobody is there: %v", err)
		}
		in, out := numbersFor(p)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := open(t, p, Options{URL: url}).Run(ctx, in, out); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s, the caller's time is over: %v", url, err)
		}
		cancel()
		if err := open(t, p, Options{URL: url, Timeout: 50 * time.Millisecond}).Run(t.Context(), in, out); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s, too late: %v", url, err)
		}
		gone, cancel := context.WithCancel(t.Context())
		s := open(t, p, Options{URL: url})
		cancel()
		if err := s.Run(gone, in, out); !errors.Is(err, context.Canceled) {
			t.Errorf("%s, given up: %v", url, err)
		}
	}
	close(over)
}

// A session leaves nothing behind, however often one is opened: no connection,
// no goroutine.
func TestOpenCloseLeavesNothing(t *testing.T) {
	p := modeltest.Find(t, folder, "classifier")
	run := local(t, p)
	in, out := numbersFor(p)
	for _, url := range []string{serveHTTP(t, p, nil), "grpc://" + modeltest.ServeGRPC(t, p, run)} {
		var files, goroutines int
		for cycle := range 1000 {
			s, err := Open(t.Context(), p, Options{URL: url})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(s.Run(t.Context(), in, out), s.Close()); err != nil {
				t.Fatal(err)
			}
			if cycle == 100 {
				files, goroutines = descriptors(t), runtime.NumGoroutine()
			}
		}
		// The other side takes a moment to see that a connection is closed.
		for begun := time.Now(); ; runtime.Gosched() {
			f, g := descriptors(t), runtime.NumGoroutine()
			if f <= files+4 && g <= goroutines+8 {
				break
			}
			if time.Since(begun) > 10*time.Second {
				t.Fatalf("%s: %d files and %d goroutines after 1,000 sessions; %d and %d after 100", url, f, g, files, goroutines)
			}
		}
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(open)
}
