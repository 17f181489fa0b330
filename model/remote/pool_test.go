package remote

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"

	"inspector/model"
	"inspector/model/modeltest"
	"inspector/model/remote/inference"
)

// constant is a network that says one number of everything.
func constant(v float32, boards *atomic.Int64) modeltest.Run {
	return func(_ context.Context, _, out []float32) error {
		for i := range out {
			out[i] = v
		}
		boards.Add(1)
		return nil
	}
}

var errAnother = errors.New("another network")

// proveOne admits who says 1.
func proveOne(p *model.Package) func(context.Context, *Session) error {
	return func(ctx context.Context, s *Session) error {
		in, out := make([]float32, p.InputSize()), make([]float32, p.OutputSize())
		if err := s.Run(ctx, in, out); err != nil {
			return err
		}
		if out[0] != 1 {
			return refusal{errAnother}
		}
		return nil
	}
}

type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }
func (refusal) Permanent() bool { return true }

// serveAt serves at an address until stop.
func serveAt(t *testing.T, at string, p *model.Package, run modeltest.Run, o ...grpc.ServerOption) (addr string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Skip("another has the port, or there is no such address: ", err)
	}
	s := modeltest.GRPC(p, run, o...)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return l.Addr().String(), s.Stop
}

// until has boards judged until done, and gives the last error.
func until(t *testing.T, s *Session, p *model.Package, done func(err error) bool) (err error) {
	t.Helper()
	in, out := make([]float32, p.InputSize()), make([]float32, p.OutputSize())
	for begun := time.Now(); ; {
		clear(out)
		if err = s.Run(t.Context(), in, out); err == nil && out[0] != 1 {
			t.Fatal("a board was judged by a server that is not proven")
		}
		if done(err) {
			return err
		}
		if time.Since(begun) > 60*time.Second {
			t.Fatal("still: ", err)
		}
	}
}

// The servers of a name take turns, those that are admitted: one with another
// network judges no board, whether it was there from the start or came later.
func TestEveryServerIsProven(t *testing.T) {
	p := modeltest.Find(t, folder, "classifier")
	var good, bad, late, came atomic.Int64
	first, _ := serveAt(t, "127.0.0.1:0", p, constant(1, &good))
	_, port, _ := net.SplitHostPort(first)
	serveAt(t, "127.0.0.2:"+port, p, constant(0, &bad))
	s := open(t, p, Options{
		URL: "grpc://pool.test:" + port, Prove: proveOne(p),
		lookup: func(context.Context, string) ([]string, error) {
			return []string{"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"}, nil
		},
	})
	until(t, s, p, func(err error) bool { return bad.Load() > 0 && good.Load() > 8 })
	serveAt(t, "127.0.0.3:"+port, p, constant(1, &late))
	serveAt(t, "127.0.0.4:"+port, p, constant(0, &came))
	if err := until(t, s, p, func(err error) bool { return late.Load() > 4 && came.Load() > 0 }); err != nil {
		t.Error(err)
	}
	if bad.Load() != 1 || came.Load() != 1 {
		t.Errorf("%d and %d inferences of servers that were refused at once", bad.Load(), came.Load())
	}
}

// Who answers after a connection was lost is proven anew, at the same address.
func TestProvenAgainAfterReconnect(t *testing.T) {
	p := modeltest.Find(t, folder, "classifier")
	var boards atomic.Int64
	at, stop := serveAt(t, "127.0.0.1:0", p, constant(1, &boards))
	s := open(t, p, Options{URL: "grpc://" + at, Prove: proveOne(p)})
	until(t, s, p, func(err error) bool { return err == nil })
	for _, v := range []float32{1, 0} {
		stop()
		_, stop = serveAt(t, at, p, constant(v, &boards))
		err := until(t, s, p, func(err error) bool { return v == 1 && err == nil || errors.Is(err, errAnother) })
		if (err == nil) != (v == 1) {
			t.Errorf("a server that says %v: %v", v, err)
		}
	}
	before := boards.Load()
	in, out := numbersFor(p)
	if err := s.Run(t.Context(), in, out); !errors.Is(err, errAnother) || boards.Load() != before {
		t.Errorf("one that was refused is left alone for a while: %v", err)
	}
}

// A server that goes on to another version says so, and is proven anew.
func TestOtherVersionOverGRPC(t *testing.T) {
	p := modeltest.Find(t, folder, "classifier")
	var boards atomic.Int64
	var version atomic.Value
	version.Store("1")
	url := "grpc://" + modeltest.ServeGRPC(t, p, constant(1, &boards), spoiled(func(a *inference.ModelInferResponse) error {
		a.ModelVersion = version.Load().(string)
		return nil
	}))
	s := open(t, p, Options{URL: url, Prove: proveOne(p)})
	until(t, s, p, func(err error) bool { return err == nil })
	version.Store("2")
	in, out := numbersFor(p)
	var changed *ChangedError
	if err := s.Run(t.Context(), in, out); !errors.As(err, &changed) || !strings.Contains(err.Error(), `version "2"`) {
		t.Errorf("another version: %v", err)
	}
	before := boards.Load()
	if err := s.Run(t.Context(), in, out); err != nil || boards.Load() != before+2 {
		t.Errorf("it is proven, then judges: %v, %d inferences", err, boards.Load()-before)
	}
}

// Over HTTP nobody knows which server answers; one of another model or version
// is told.
func TestOtherVersionOverHTTP(t *testing.T) {
	p := modeltest.Find(t, folder, "classifier")
	for _, asJSON := range []bool{false, true} {
		var said atomic.Value
		said.Store(`"1"`)
		url := serveHTTP(t, p, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				good := httptest.NewRecorder()
				next.ServeHTTP(good, r)
				if h := good.Header().Get(headerLength); h != "" {
					w.Header().Set(headerLength, h)
				}
				_, _ = w.Write([]byte(strings.Replace(good.Body.String(), `"model_version":"1"`, `"model_version":`+said.Load().(string), 1)))
			})
		})
		s := open(t, p, Options{URL: url, JSON: asJSON})
		in, out := numbersFor(p)
		var changed *ChangedError
		for i, say := range []string{`"1"`, `"2"`, `"1"`} {
			said.Store(say)
			if err := s.Run(t.Context(), in, out); (i == 1) != errors.As(err, &changed) || i != 1 && err != nil {
				t.Errorf("version %s: %v", say, err)
			}
		}
	}
}

// A closed pool has no server, and a name that is none says so.
func TestPoolsWithoutServers(t *testing.T) {
	p := modeltest.Find(t, folder, "classifier")
	var boards atomic.Int64
	s := open(t, p, Options{URL: "grpc://" + modeltest.ServeGRPC(t, p, constant(1, &boards))})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	in, out := numbersFor(p)
	if err := s.Run(t.Context(), in, out); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	unknown := &net.DNSError{Err: "no such host", Name: "pool.test", IsNotFound: true}
	none := func(context.Context, string) ([]string, error) { return nil, unknown }
	var dns *net.DNSError
	if _, err := Open(t.Context(), p, Options{URL: "grpc://pool.test:1", lookup: none}); !errors.As(err, &dns) {
		t.Error(err)
	}
}

// Addresses that are gone from the name are forgotten with their connections.
func TestSeats(t *testing.T) {
	q := (&pool{network: &network{}, port: "1", lookup: net.DefaultResolver.LookupHost}).rest(t.Context())
	kept := &seat{at: "10.0.0.1:1", link: &grpcLink{}, err: nil}
	busy := &seat{at: "10.0.0.2:1", trying: true}
	wait := &seat{at: "10.0.0.3:1", again: time.Now().Add(time.Hour)}
	for _, tt := range []struct {
		found []string
		want  []*seat
	}{
		{nil, []*seat{kept, busy, wait}},
		{[]string{"10.0.0.3"}, []*seat{kept, busy, wait}},
		{[]string{"10.0.0.2"}, []*seat{kept, busy}},
	} {
		q.seats = []*seat{kept, busy, wait}
		if q.seat(tt.found); !slices.Equal(q.seats, tt.want) {
			t.Errorf("%v: %d seats; want %d", tt.found, len(q.seats), len(tt.want))
		}
	}
}

// A connection is never made again behind the pool's back; one whose loss was
// noticed costs no board.
func TestLostConnection(t *testing.T) {
	p := modeltest.Find(t, folder, "classifier")
	var boards atomic.Int64
	at, stop := serveAt(t, "127.0.0.1:0", p, constant(1, &boards))
	s := open(t, p, Options{URL: "grpc://" + at, Prove: proveOne(p)})
	l := s.link.(*pool).seats[0].link
	stop()
	if !l.conn.WaitForStateChange(t.Context(), connectivity.Ready) {
		t.Fatal("the loss is not noticed")
	}
	serveAt(t, at, p, constant(1, &boards))
	in, out := numbersFor(p)
	for range 20 {
		if err := l.infer(t.Context(), in, out); err == nil {
			t.Fatal("the connection was made again")
		}
	}
	if err := s.Run(t.Context(), in, out); err != nil {
		t.Error(err)
	}
}
