package modeltest

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"inspector/model"
	"inspector/model/remote/inference"
)

// ServeGRPC serves the package on loopback until the test ends, with run behind
// it. It gives HOST:PORT.
func ServeGRPC(t testing.TB, p *model.Package, run Run, options ...grpc.ServerOption) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := GRPC(p, run, options...)
	over := make(chan error)
	go func() { over <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// GRPC is a server at rest.
func GRPC(p *model.Package, run Run, options ...grpc.ServerOption) *grpc.Server {
	s := grpc.NewServer(append([]grpc.ServerOption{grpc.MaxRecvMsgSize(64 << 20)}, options...)...)
	inference.RegisterGRPCInferenceServiceServer(s, grpcServer{server: server{p, run}})
	return s
}

type grpcServer struct {
	inference.UnimplementedGRPCInferenceServiceServer
	server
}

func (s grpcServer) known(name string) error {
	if name != s.pkg.Name {
		return status.Errorf(codes.NotFound, "no model %q", name)
	}
	return nil
}

func (s grpcServer) ModelReady(_ context.Context, r *inference.ModelReadyRequest) (*inference.ModelReadyResponse, error) {
	return &inference.ModelReadyResponse{Ready: r.GetVersion() != "9"}, s.known(r.GetName())
}

func (s grpcServer) ModelMetadata(_ context.Context, r *inference.ModelMetadataRequest) (*inference.ModelMetadataResponse, error) {
	type tensor = inference.ModelMetadataResponse_TensorMetadata
	m := &inference.ModelMetadataResponse{Name: s.pkg.Name, Platform: "onnx", Inputs: []*tensor{{Name: s.pkg.Input().Name, Datatype: s.kind(), Shape: s.pkg.Input().Shape()}}}
	for i, shape := range s.pkg.OutputShapes() {
		shape[0] = -1 // as servers that make batches say it
		m.Outputs = append(m.Outputs, &tensor{Name: s.pkg.Outputs[i].Name, Datatype: "FP32", Shape: shape})
	}
	return m, s.known(r.GetName())
}

func (s grpcServer) ModelInfer(ctx context.Context, r *inference.ModelInferRequest) (*inference.ModelInferResponse, error) {
	if len(r.GetInputs()) != 1 || len(r.GetRawInputContents()) != 1 {
		return nil, status.Error(codes.InvalidArgument, "unexpected request")
	}
	in := r.GetInputs()[0]
	asked := request{model: r.GetModelName(), input: in.GetName(), kind: in.GetDatatype(), shape: in.GetShape(), raw: r.GetRawInputContents()[0]}
	for _, o := range r.GetOutputs() {
		asked.outputs = append(asked.outputs, o.GetName())
	}
	found, err := s.infer(ctx, asked)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	answer := &inference.ModelInferResponse{ModelName: s.pkg.Name, ModelVersion: "1"}
	for _, name := range asked.outputs {
		answer.Outputs = append(answer.Outputs, &inference.ModelInferResponse_InferOutputTensor{Name: name, Datatype: "FP32", Shape: s.shape(name)})
		answer.RawOutputContents = append(answer.RawOutputContents, bytesOf(found[name]))
	}
	return answer, nil
}
