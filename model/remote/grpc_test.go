package remote

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"inspector/model/modeltest"
	"inspector/model/remote/inference"
)

// spoiled has the answer of an inference altered.
func spoiled(spoil func(*inference.ModelInferResponse) error) grpc.ServerOption {
	return grpc.UnaryInterceptor(func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		answer, err := next(ctx, r)
		if m, ok := answer.(*inference.ModelInferResponse); ok && err == nil {
			err = spoil(m)
		}
		return answer, err
	})
}

// Whatever a server answers that is no inference is an error.
func TestBadAnswersOverGRPC(t *testing.T) {
	type answer = inference.ModelInferResponse
	bad := func(f func(*answer)) func(*answer) error {
		return func(a *answer) error { f(a); return nil }
	}
	p := modeltest.Find(t, folder, "detector")
	run := local(t, p)
	for name, tt := range map[string]struct {
		spoil func(*answer) error
		want  string
	}{
		"error":          {func(*answer) error { return status.Error(codes.Internal, "no memory") }, "Internal: no memory"},
		"gone":           {func(*answer) error { return status.Error(codes.NotFound, "unloaded") }, "load the model"},
		"no output":      {bad(func(a *answer) { a.Outputs, a.RawOutputContents = nil, nil }), `no output "output"`},
		"other output":   {bad(func(a *answer) { a.Outputs[0].Name = "x" }), `no output "output"`},
		"no numbers":     {bad(func(a *answer) { a.RawOutputContents = nil }), "has 0 numbers"},
		"empty numbers":  {bad(func(a *answer) { a.RawOutputContents[0] = nil }), "has 0 numbers"},
		"too few":        {bad(func(a *answer) { a.RawOutputContents[0] = a.RawOutputContents[0][:8] }), "has 2 numbers"},
		"half a number":  {bad(func(a *answer) { a.RawOutputContents[0] = append(a.RawOutputContents[0], 1) }), "numbers; want"},
		"numbers of two": {bad(func(a *answer) { a.RawOutputContents = append(a.RawOutputContents, nil) }), "1 outputs with the numbers of 2"},
		"other shape":    {bad(func(a *answer) { a.Outputs[0].Shape[1]++ }), "want FP32"},
		"other type":     {bad(func(a *answer) { a.Outputs[0].Datatype = "FP16" }), "want FP32"},
		"huge":           {bad(func(a *answer) { a.RawOutputContents[0] = make([]byte, 4<<20) }), "raise the limit"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, p, Options{URL: "grpc://" + modeltest.ServeGRPC(t, p, run, spoiled(tt.spoil))})
			in, out := numbersFor(p)
			var no *ServerError
			if err := s.Run(t.Context(), in, out); !errors.As(err, &no) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v; want %q", err, tt.want)
			}
		})
	}
}

// A server may give numbers instead of bytes.
func TestNumbersOverGRPC(t *testing.T) {
	p := modeltest.Find(t, folder, "classifier")
	typed := spoiled(func(a *inference.ModelInferResponse) error {
		a.RawOutputContents = nil
		a.Outputs[0].Contents = &inference.InferTensorContents{Fp32Contents: []float32{.5, .25, .25}}
		return nil
	})
	s := open(t, p, Options{URL: "grpc://" + modeltest.ServeGRPC(t, p, local(t, p), typed)})
	in, out := numbersFor(p)
	if err := s.Run(t.Context(), in, out); err != nil || !slices.Equal(out, []float32{.5, .25, .25}) {
		t.Error(err, out)
	}
}

// What does not speak the protocol, does not know the version, or takes no
// message of this length says so.
func TestRefusalsOverGRPC(t *testing.T) {
	p := modeltest.Find(t, folder, "detector")
	other := grpc.NewServer()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = other.Serve(l) }()
	defer other.Stop()
	web := httptest.NewServer(nil)
	defer web.Close()
	for url, want := range map[string]string{
		"grpc://" + l.Addr().String():                                                         "Unimplemented",
		"grpc" + strings.TrimPrefix(web.URL, "http"):                                          "does not answer",
		"grpc://" + modeltest.ServeGRPC(t, p, local(t, p)) + "/v2/models/detector/versions/9": "is not ready",
		"grpcs://" + modeltest.ServeGRPC(t, p, local(t, p)):                                   "does not answer",
	} {
		if _, err := Open(t.Context(), p, Options{URL: url}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", url, err, want)
		}
	}
	short := open(t, p, Options{URL: "grpc://" + modeltest.ServeGRPC(t, p, local(t, p), grpc.MaxRecvMsgSize(1000))})
	in, out := numbersFor(p)
	var no *ServerError
	if err := short.Run(t.Context(), in, out); !errors.As(err, &no) || !no.TooLong {
		t.Errorf("a short limit: %v", err)
	}
}

// A server that comes back is found again within seconds.
func TestServerComesBack(t *testing.T) {
	p := modeltest.Find(t, folder, "classifier")
	run := local(t, p)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve := func(l net.Listener) *grpc.Server {
		s := modeltest.GRPC(p, run)
		go func() { _ = s.Serve(l) }()
		return s
	}
	first := serve(l)
	s := open(t, p, Options{URL: "grpc://" + l.Addr().String(), Timeout: 20 * time.Second})
	in, out := numbersFor(p)
	if err := s.Run(t.Context(), in, out); err != nil {
		t.Fatal(err)
	}
	first.Stop()
	if err := s.Run(t.Context(), in, out); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the server is stopped: %v; want to be told at once", err)
	}
	if l, err = net.Listen("tcp", l.Addr().String()); err != nil {
		t.Skip("another has the port: ", err)
	}
	second := serve(l)
	defer second.Stop()
	for begun := time.Now(); ; {
		err := s.Run(t.Context(), in, out)
		if err == nil {
			break
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatal("the server is back, and yet: ", err)
		}
	}
}

// A server may prove itself by the authority of the factory, and by no other.
func TestOwnAuthority(t *testing.T) {
	p := modeltest.Find(t, folder, "classifier")
	run := local(t, p)
	web := httptest.NewTLSServer(modeltest.HTTP(p, run))
	defer web.Close()
	certificate := web.TLS.Certificates[0]
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}), 0o600); err != nil {
		t.Fatal(err)
	}
	secure := grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}))
	for _, url := range []string{web.URL, "grpcs://" + modeltest.ServeGRPC(t, p, run, secure)} {
		s := open(t, p, Options{URL: url, CAFile: ca})
		in, out := numbersFor(p)
		if err := s.Run(t.Context(), in, out); err != nil {
			t.Error(url, err)
		}
		if _, err := Open(t.Context(), p, Options{URL: url}); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s is trusted by nobody: %v", url, err)
		}
	}
	for _, file := range []string{"/nowhere.pem", "remote.go"} {
		if _, err := Open(t.Context(), p, Options{URL: web.URL, CAFile: file}); err == nil || !strings.Contains(err.Error(), "model.remote_ca") {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// A dead connection is noticed in seconds and not in a quarter of an hour.
func TestDeadConnectionIsNoticed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := dialTCP(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var have int
	if fault := raw.Control(func(fd uintptr) { have, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT) }); fault != nil || err != nil || have != 10000 {
		t.Errorf("unacknowledged for %d ms at most, %v, %v; want 10000", have, err, fault)
	}
}

func FuzzDecodeGRPC(f *testing.F) {
	whole, _ := proto.Marshal(&inference.ModelInferResponse{
		Outputs: []*inference.ModelInferResponse_InferOutputTensor{{Name: "output", Datatype: "FP32", Shape: []int64{1, 2}}}, RawOutputContents: [][]byte{make([]byte, 8)},
	})
	f.Add(whole)
	f.Fuzz(func(t *testing.T, body []byte) {
		var m inference.ModelInferResponse
		if proto.Unmarshal(body, &m) != nil {
			return
		}
		l := grpcLink{network: &network{outputs: []tensor{{"output", "FP32", []int64{1, 2}}}, out: 2}}
		if answers, err := l.decode(&m); err == nil {
			_ = l.gather(answers, make([]float32, 2))
		}
	})
}
