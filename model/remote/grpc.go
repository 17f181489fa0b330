package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"inspector/model/remote/inference"
)

// grpcLink speaks the protocol over one gRPC connection, which is not made again
// when it is lost.
type grpcLink struct {
	*network
	model, version string
	conn           *grpc.ClientConn
	client         inference.GRPCInferenceServiceClient
	raws           sync.Pool // of *[]byte: one input
	who            who

	uses    int  // boards that are on it, guarded by the pool's mu
	dropped bool // it gets no more
}

var errLost = errors.New("the connection was lost")

// dialGRPC is a connection to the server at one address of the name.
func dialGRPC(a address, at string, n *network, trust *tls.Config) (*grpcLink, error) {
	secure := insecure.NewCredentials()
	if a.encrypted() {
		secure = credentials.NewTLS(trust)
	}
	own := *n
	if at != a.Host {
		own.url += " (" + at + ")"
	}
	var dialled atomic.Bool
	once := func(ctx context.Context, _ string) (net.Conn, error) {
		if dialled.Swap(true) {
			return nil, errLost
		}
		return dialTCP(ctx, at)
	}
	conn, err := grpc.NewClient("passthrough:///"+a.Host,
		grpc.WithTransportCredentials(secure),
		grpc.WithContextDialer(once),
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: 5 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(n.mostBytes())),
		grpc.WithUserAgent("inspector"),
	)
	if err != nil {
		return nil, fmt.Errorf("remote: model.remote %q: %w", a.shown, err)
	}
	l := &grpcLink{network: &own, model: a.model, version: a.version, conn: conn, client: inference.NewGRPCInferenceServiceClient(conn)}
	l.raws.New = func() any { return new([]byte) }
	return l, nil
}

func (l *grpcLink) alive() bool { return l.conn.GetState() == connectivity.Ready }

// closeIf closes it after its last board, if it is to get no more.
func (l *grpcLink) closeIf(dropped bool) error {
	if !dropped || l.uses > 0 {
		return nil
	}
	return l.close()
}

// unheard is how long what is sent may lack the other side's acknowledgement: a
// dead connection would otherwise take the boards of a quarter of an hour.
const unheard = 10 * time.Second

func dialTCP(ctx context.Context, target string) (net.Conn, error) {
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		set := func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unheard/time.Millisecond))
		}
		if fault := c.Control(set); fault != nil {
			return fault
		}
		return err
	}}
	return d.DialContext(ctx, "tcp", target)
}

// fault says what an error of a call is about.
func (l *grpcLink) fault(err error) error {
	s := status.Convert(err)
	switch s.Code() {
	case codes.DeadlineExceeded:
		return l.silent(fmt.Errorf("%w: %s", context.DeadlineExceeded, s.Message()))
	case codes.Canceled:
		return l.silent(fmt.Errorf("%w: %s", context.Canceled, s.Message()))
	case codes.Unavailable:
		return l.silent(err)
	case codes.NotFound:
		return l.missing(s.Code().String(), s.Message())
	}
	tooLong := s.Code() == codes.ResourceExhausted && strings.Contains(s.Message(), "larger than max")
	return &ServerError{URL: l.url, Status: s.Code().String(), Text: cut(s.Message()), TooLong: tooLong}
}

func (l *grpcLink) ready(ctx context.Context) error {
	got, err := l.client.ModelReady(ctx, &inference.ModelReadyRequest{Name: l.model, Version: l.version})
	switch {
	case err != nil:
		return l.fault(err)
	case !got.GetReady():
		return l.missing("", fmt.Sprintf("model %q is not ready", l.model))
	}
	return nil
}

func (l *grpcLink) metadata(ctx context.Context) (inputs, outputs []tensor, err error) {
	got, err := l.client.ModelMetadata(ctx, &inference.ModelMetadataRequest{Name: l.model, Version: l.version})
	if status.Code(err) == codes.Unimplemented { // ready, but it does not say what it has
		return nil, nil, nil
	} else if err != nil {
		return nil, nil, l.fault(err)
	}
	plain := func(ts []*inference.ModelMetadataResponse_TensorMetadata) (out []tensor) {
		for _, t := range ts {
			out = append(out, tensor{t.GetName(), t.GetDatatype(), t.GetShape()})
		}
		return out
	}
	return plain(got.GetInputs()), plain(got.GetOutputs()), nil
}

func (l *grpcLink) infer(ctx context.Context, in, out []float32) error {
	raw := l.raws.Get().(*[]byte)
	defer l.raws.Put(raw) // a call has copied it when it returns
	*raw = l.input.appendTo((*raw)[:0], in)
	r := &inference.ModelInferRequest{
		ModelName: l.model, ModelVersion: l.version, RawInputContents: [][]byte{*raw},
		Inputs: []*inference.ModelInferRequest_InferInputTensor{{Name: l.input.Name, Datatype: l.input.Type, Shape: l.input.Shape}},
	}
	for _, t := range l.outputs {
		r.Outputs = append(r.Outputs, &inference.ModelInferRequest_InferRequestedOutputTensor{Name: t.Name})
	}
	got, err := l.client.ModelInfer(ctx, r)
	if err != nil {
		return l.fault(err)
	}
	if err := l.who.same(l.url, got.GetModelName(), got.GetModelVersion()); err != nil {
		return err
	}
	answers, err := l.decode(got)
	if err != nil {
		return err
	}
	return l.gather(answers, out)
}

// decode reads an answer.
func (l *grpcLink) decode(got *inference.ModelInferResponse) ([]answer, error) {
	raws := got.GetRawOutputContents()
	if len(raws) != 0 && len(raws) != len(got.GetOutputs()) {
		return nil, l.wrong("%d outputs with the numbers of %d", len(got.GetOutputs()), len(raws))
	}
	var out []answer
	for i, t := range got.GetOutputs() {
		a := answer{tensor: tensor{t.GetName(), t.GetDatatype(), t.GetShape()}, numbers: t.GetContents().GetFp32Contents()}
		if len(raws) > 0 {
			a.raw = raws[i]
		}
		out = append(out, a)
	}
	return out, nil
}

func (l *grpcLink) close() error {
	if err := l.conn.Close(); status.Code(err) != codes.Canceled { // which it is the second time
		return err
	}
	return nil
}
