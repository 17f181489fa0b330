package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"inspector/classify"
	"inspector/model"
	"inspector/model/onnxruntime"
	"inspector/models"
)

// inferenceServer serves the shipped model on ONNX Runtime, over the binary
// form of the Open Inference Protocol. While down, it is out of order; off is
// added to every number.
func inferenceServer(t *testing.T, down *atomic.Bool, off float32) string {
	t.Helper()
	p, err := model.Find(models.FS, "pcb")
	if err != nil {
		t.Fatal(err)
	}
	s, err := onnxruntime.Open("", p, onnxruntime.Options{})
	var missing *onnxruntime.MissingError
	if errors.As(err, &missing) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch n, _ := strconv.Atoi(r.Header.Get("Inference-Header-Content-Length")); {
		case down.Load():
			http.Error(w, "out of order", http.StatusServiceUnavailable)
		case r.Method == http.MethodPost:
			in, out := make([]float32, p.InputSize()), make([]float32, p.OutputSize())
			for i := range in {
				in[i] = math.Float32frombits(binary.LittleEndian.Uint32(body[n+4*i:]))
			}
			if err := s.Run(r.Context(), in, out); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			text, _ := json.Marshal(map[string]any{"outputs": []any{map[string]any{"name": "output", "datatype": "FP32", "shape": p.OutputShapes()[0], "parameters": map[string]any{"binary_data_size": 4 * len(out)}}}})
			w.Header().Set("Inference-Header-Content-Length", strconv.Itoa(len(text)))
			for _, v := range out {
				text = binary.LittleEndian.AppendUint32(text, math.Float32bits(v+off))
			}
			_, _ = w.Write(text)
		}
	}))
	t.Cleanup(func() { server.Close(); s.Close() })
	return server.URL + "/v2/models/pcb"
}

// The vectors prove a server as they prove a runtime; a server that fails
// later makes boards unsure.
func TestRemoteRuntime(t *testing.T) {
	var down atomic.Bool
	c := defaults()
	c.Data, c.Model.Runtime, c.Model.Remote = t.TempDir(), "remote", inferenceServer(t, &down, 0)
	j, err := openJudges(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if id, runtime := j.now(""); runtime != "remote" || !strings.Contains(j.words(), "vectors: 1 within") {
		t.Errorf("%s on %s: %s", id, runtime, j.words())
	}
	boards, err := simulatedBoards(c.Simulated)
	if err != nil {
		t.Fatal(err)
	}
	picture, _, err := boards(0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := j.take("")
	if err != nil {
		t.Fatal(err)
	}
	defer p.leave()
	judge, err := p.of("")
	if err != nil {
		t.Fatal(err)
	}
	if r := judge.Classify(t.Context(), picture); r.Timings.Infer == 0 || r.Verdict == "" || strings.Contains(r.Reason, "not judged") {
		t.Errorf("%+v", r)
	}
	down.Store(true)
	if r := judge.Classify(t.Context(), picture); r.Verdict != "unsure" || !strings.Contains(r.Reason, "503") {
		t.Errorf("%+v", r)
	}
	c.Model.Remote = inferenceServer(t, new(atomic.Bool), 0.01)
	if _, err := openJudges(t.Context(), c, nil); !errors.Is(err, classify.ErrVector) {
		t.Errorf("a server with another network: %v", err)
	}
}

// auto passes over what does not compute the model right, however fast it is.
func TestAutoTakesWhatProvesItself(t *testing.T) {
	c := defaults().Model
	c.Remote = inferenceServer(t, new(atomic.Bool), 0.01)
	r, err := model.OpenRegistry(fs.FS(models.FS), "")
	if err != nil {
		t.Fatal(err)
	}
	p := shippedModel(t)
	g, err := openProven(t.Context(), r, p, c, time.Minute)
	if err != nil || g.runtime != onnxruntime.Name || g.proof.Vectors != 1 || g.proof.Median == 0 {
		t.Fatalf("%+v, %v", g, err)
	}
	if err := g.session.Close(); err != nil {
		t.Error(err)
	}
	c.Variant = model.INT8
	g, err = openProven(t.Context(), r, p, c, time.Minute)
	if err != nil || g.proof.Vectors != 1 {
		t.Fatalf("%+v, %v", g, err)
	}
	if err := g.session.Close(); err != nil {
		t.Error(err)
	}
	bare := *p
	bare.Variants = nil
	p = &bare
	var none *model.VariantError
	if _, err := openProven(t.Context(), r, p, c, time.Minute); !errors.As(err, &none) {
		t.Errorf("a variant that is not there: %v", err)
	}
}
