package remote

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"inspector/model"
	"inspector/model/onnxgo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve is an inference server with the model in onnx-go behind it, as the
// protocol's text has it. spoil, if there is one, has the last word.
func serve(t *testing.T, spoil func(w http.ResponseWriter, body []byte) bool) (*model.Package, *onnxgo.Pool, string) {
	t.Helper()
	p, err := model.Find(os.DirFS("../testdata/models"), "detector")
	if err != nil {
		t.Fatal(err)
	}
	local, err := onnxgo.OpenPool(p, 1)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v2/models/detector/ready", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /v2/models/detector/infer", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var in struct {
			Inputs, Outputs []struct {
				Name, Datatype string
				Shape          []int64
				Parameters     map[string]any
				Data           []float32
			}
		}
		n, binaryBody := len(body), r.Header.Get("Inference-Header-Content-Length")
		if binaryBody != "" {
			n, _ = strconv.Atoi(binaryBody)
		}
		if err := json.Unmarshal(body[:n], &in); err != nil || in.Inputs[0].Name != "input" || in.Inputs[0].Datatype != "FP32" || !slices.Equal(in.Inputs[0].Shape, p.Input().Shape()) {
			http.Error(w, `{"error":"unexpected input"}`, http.StatusBadRequest)
			return
		}
		data := in.Inputs[0].Data
		for i := n; i < len(body); i += 4 {
			data = append(data, math.Float32frombits(binary.LittleEndian.Uint32(body[i:])))
		}
		out := make([]float32, p.OutputSize())
		if err := local.Run(r.Context(), data, out); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer := map[string]any{"name": "output", "datatype": "FP32", "shape": p.OutputShapes()[0], "data": out}
		if in.Outputs[0].Parameters["binary_data"] == true {
			delete(answer, "data")
			answer["parameters"] = map[string]any{"binary_data_size": 4 * len(out)}
		}
		text, _ := json.Marshal(map[string]any{"model_name": "detector", "outputs": []any{answer}})
		if answer["data"] == nil {
			w.Header().Set("Inference-Header-Content-Length", strconv.Itoa(len(text)))
			for _, v := range out {
				text = binary.LittleEndian.AppendUint32(text, math.Float32bits(v))
			}
		}
		if spoil == nil || !spoil(w, text) {
			_, _ = w.Write(text)
		}
	})
	s := httptest.NewServer(mux)
	t.Cleanup(func() { s.Close(); local.Close() })
	return p, local, s.URL + "/v2/models/detector"
}

func numbers(p *model.Package) (in, out []float32) {
	in, out = make([]float32, p.InputSize()), make([]float32, p.OutputSize())
	for i := range in {
		in[i] = float32(i%11) / 11
	}
	return in, out
}

// A server says what the model says here, in both forms of the protocol.
func TestSameAsHere(t *testing.T) {
	p, local, url := serve(t, nil)
	in, want := numbers(p)
	if err := local.Run(t.Context(), in, want); err != nil {
		t.Fatal(err)
	}
	for _, asJSON := range []bool{false, true} {
		s, err := Open(t.Context(), p, Options{URL: url, JSON: asJSON})
		if err != nil {
			t.Fatal(err)
		}
		_, out := numbers(p)
		if err := s.Run(t.Context(), in, out); err != nil || !slices.Equal(out, want) {
			t.Errorf("JSON %v: %v, %v; want %v", asJSON, err, out[:4], want[:4])
		}
		if err := s.Run(t.Context(), in[1:], out); err == nil {
			t.Error("too few numbers were taken")
		}
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	}
}

// Whatever a server answers that is no inference is an error.
func TestBadAnswers(t *testing.T) {
	write := func(text string) func(http.ResponseWriter, []byte) bool {
		return func(w http.ResponseWriter, _ []byte) bool {
			w.Header().Del("Inference-Header-Content-Length")
			_, _ = io.WriteString(w, text)
			return true
		}
	}
	for name, spoil := range map[string]func(http.ResponseWriter, []byte) bool{
		"error": func(w http.ResponseWriter, _ []byte) bool {
			http.Error(w, "no memory", http.StatusServiceUnavailable)
			return true
		},
		"cut off":       func(w http.ResponseWriter, b []byte) bool { _, _ = w.Write(b[:len(b)-400]); return true },
		"no JSON":       write("<html>"),
		"no output":     write(`{"outputs":[]}`),
		"other output":  write(`{"outputs":[{"name":"x","datatype":"FP32","data":[1]}]}`),
		"too few":       write(`{"outputs":[{"name":"output","datatype":"FP32","data":[1]}]}`),
		"other numbers": write(`{"outputs":[{"name":"output","datatype":"INT8","data":[1]}]}`),
		"huge":          write(strings.Repeat(" ", 4<<20)),
	} {
		t.Run(name, func(t *testing.T) {
			p, _, url := serve(t, spoil)
			s, err := Open(t.Context(), p, Options{URL: url})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			in, out := numbers(p)
			var bad *ServerError
			if err := s.Run(t.Context(), in, out); !errors.As(err, &bad) || !strings.Contains(err.Error(), "model.remote") {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestNotReadyAndTooLate(t *testing.T) {
	over := make(chan struct{})
	defer close(over)
	p, _, url := serve(t, func(http.ResponseWriter, []byte) bool { <-over; return true })
	var bad *ServerError
	if _, err := Open(t.Context(), p, Options{URL: url + "-other"}); !errors.As(err, &bad) || bad.Status != http.StatusNotFound {
		t.Errorf("another model: %v", err)
	}
	if _, err := Open(t.Context(), p, Options{URL: "http://127.0.0.1:1/v2/models/detector"}); err == nil {
		t.Error("nobody is there, and ready")
	}
	s, err := Open(t.Context(), p, Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	in, out := numbers(p)
	if err := s.Run(ctx, in, out); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("too late: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"outputs":[{"name":"output","datatype":"FP32","data":[1,2]}]}`), "")
	f.Add([]byte(`{"outputs":[{"name":"output","datatype":"FP32","parameters":{"binary_data_size":8}}]}12345678`), "81")
	f.Fuzz(func(t *testing.T, body []byte, header string) {
		s := &Session{outputs: []string{"output"}, out: 2}
		_ = s.decode(body, header, make([]float32, 2))
	})
}
