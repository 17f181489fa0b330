package remote

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"inspector/model/modeltest"
)

// Whatever a server answers that is no inference is an error.
func TestBadAnswers(t *testing.T) {
	say := func(text string) func(http.ResponseWriter, []byte) {
		return func(w http.ResponseWriter, _ []byte) {
			w.Header().Del(headerLength)
			_, _ = io.WriteString(w, text)
		}
	}
	output := func(rest string) func(http.ResponseWriter, []byte) {
		return say(`{"outputs":[{"name":"output",` + rest + `}]}`)
	}
	p := modeltest.Find(t, folder, "detector")
	shape, _ := json.Marshal(p.OutputShapes()[0])
	full := `"datatype":"FP32","shape":` + string(shape)
	for name, tt := range map[string]struct {
		spoil func(w http.ResponseWriter, good []byte)
		want  string
	}{
		"error":        {func(w http.ResponseWriter, _ []byte) { http.Error(w, "no memory", http.StatusServiceUnavailable) }, "503 Service Unavailable: no memory"},
		"too long":     {func(w http.ResponseWriter, _ []byte) { w.WriteHeader(http.StatusRequestEntityTooLarge) }, "raise the limit"},
		"cut off":      {func(w http.ResponseWriter, b []byte) { _, _ = w.Write(b[:len(b)-400]) }, "are left"},
		"bad header":   {func(w http.ResponseWriter, b []byte) { w.Header().Set(headerLength, "-1"); _, _ = w.Write(b) }, headerLength},
		"no JSON":      {say("<html>"), "invalid character"},
		"no output":    {say(`{"outputs":[]}`), `no output "output"`},
		"other output": {say(`{"outputs":[{"name":"x","datatype":"FP32","data":[1]}]}`), `no output "output"`},
		"too few":      {output(full + `,"data":[1]`), "has 1 numbers"},
		"null":         {output(full + `,"data":[[1,null]]`), "null among the numbers"},
		"text":         {output(full + `,"data":["1"]`), "no inference"},
		"other shape":  {output(`"datatype":"FP32","shape":[1,2],"data":[1,2]`), "want FP32"},
		"no shape":     {output(`"datatype":"FP32","data":[1]`), "want FP32"},
		"other type":   {output(`"datatype":"INT8","shape":` + string(shape) + `,"data":[1]`), "want FP32"},
		"huge":         {say(strings.Repeat(" ", 4<<20)), "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			url := serveHTTP(t, p, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					good := httptest.NewRecorder()
					next.ServeHTTP(good, r)
					if !strings.HasSuffix(r.URL.Path, "/infer") {
						_, _ = w.Write(good.Body.Bytes())
						return
					}
					w.Header().Set(headerLength, good.Header().Get(headerLength))
					tt.spoil(w, good.Body.Bytes())
				})
			})
			s := open(t, p, Options{URL: url})
			in, out := numbersFor(p)
			var bad *ServerError
			if err := s.Run(t.Context(), in, out); !errors.As(err, &bad) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v; want %q", err, tt.want)
			}
		})
	}
}

// Some servers say in the body that a model is not ready, some have no
// metadata, some nest their numbers.
func TestHabitsOfServers(t *testing.T) {
	p := modeltest.Find(t, folder, "classifier")
	answer := func(ready, metadata string, status int) string {
		mux := http.NewServeMux()
		mux.HandleFunc("/v2/models/classifier/ready", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, ready) })
		mux.HandleFunc("/v2/models/classifier", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, metadata)
		})
		mux.HandleFunc("/v2/models/classifier/infer", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"outputs":[{"name":"output","datatype":"FP32","shape":[1,3],"data":[[0.5, 0.25,0.25]]}]}`)
		})
		s := httptest.NewServer(mux)
		t.Cleanup(s.Close)
		return s.URL
	}
	var no *ServerError
	for _, ready := range []string{`{"name":"classifier","ready":false}`, `{"ready":"False"}`} {
		if _, err := Open(t.Context(), p, Options{URL: answer(ready, "", 404)}); !errors.As(err, &no) || !no.Missing {
			t.Errorf("%s: %v", ready, err)
		}
	}
	if _, err := Open(t.Context(), p, Options{URL: answer("", "<html>", 200)}); !errors.As(err, &no) || !strings.Contains(err.Error(), "metadata") {
		t.Errorf("no metadata: %v", err)
	}
	for _, ready := range []string{"", `{"name":"classifier","ready":true}`} {
		s := open(t, p, Options{URL: answer(ready, "not here", 404), JSON: true})
		in, out := numbersFor(p)
		if err := s.Run(t.Context(), in, out); err != nil || !slices.Equal(out, []float32{.5, .25, .25}) {
			t.Error(err, out)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"outputs":[{"name":"output","datatype":"FP32","shape":[1,2],"data":[[1,2]]}]}`), "")
	f.Add([]byte(`{"outputs":[{"name":"output","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}}]}12345678`), "104")
	f.Fuzz(func(t *testing.T, body []byte, header string) {
		l := httpLink{network: &network{outputs: []tensor{{"output", "FP32", []int64{1, 2}}}, out: 2}}
		if answers, err := l.decode(body, header); err == nil {
			_ = l.gather(answers, make([]float32, 2))
		}
	})
}
