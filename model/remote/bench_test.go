package remote

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"inspector/model/modeltest"
)

// What a server on this machine costs beside its inference, both sides of the
// line together, for the shipped model's two planes of 640 x 640 (3.3 MB).
func BenchmarkTransport(b *testing.B) {
	p := modeltest.Find(b, "../../models", "pcb")
	idle := func(context.Context, []float32, []float32) error { return nil }
	web := httptest.NewServer(modeltest.HTTP(p, idle))
	defer web.Close()
	over := map[string]Options{"HTTP": {URL: web.URL}, "gRPC": {URL: "grpc://" + modeltest.ServeGRPC(b, p, idle)}}
	for _, form := range []string{"HTTP", "gRPC"} {
		b.Run(form, func(b *testing.B) {
			s, err := Open(b.Context(), p, over[form])
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			in, out := make([]float32, p.InputSize()), make([]float32, p.OutputSize())
			before := processor()
			for b.Loop() {
				if err := s.Run(b.Context(), in, out); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((processor()-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// processor is the time that this process has computed.
func processor() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u) // of oneself: cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
