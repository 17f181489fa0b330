package modeltest

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"inspector/model"
)

// HTTP serves the package under /v2/models/NAME, with run behind it.
func HTTP(p *model.Package, run Run) http.Handler {
	s, at := server{p, run}, " /v2/models/"+p.Name
	mux := http.NewServeMux()
	mux.HandleFunc("GET"+at, s.tell)
	mux.HandleFunc("GET"+at+"/ready", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST"+at+"/infer", s.answer)
	return mux
}

func (s server) tell(w http.ResponseWriter, _ *http.Request) {
	type tensor struct {
		Name     string  `json:"name"`
		Datatype string  `json:"datatype"`
		Shape    []int64 `json:"shape"`
	}
	var outputs []tensor
	for i, shape := range s.pkg.OutputShapes() {
		outputs = append(outputs, tensor{s.pkg.Outputs[i].Name, "FP32", shape})
	}
	shape := s.pkg.Input().Shape()
	shape[0] = -1 // as servers that make batches say it
	_ = json.NewEncoder(w).Encode(map[string]any{
		"name": s.pkg.Name, "platform": "onnx", "inputs": []tensor{{s.pkg.Input().Name, s.kind(), shape}}, "outputs": outputs,
	})
}

const headerLength = "Inference-Header-Content-Length"

func (s server) answer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var in struct {
		Inputs []struct {
			Name, Datatype string
			Shape          []int64
			Data           []float32
		}
		Outputs []struct {
			Name       string
			Parameters map[string]any
		}
	}
	n := len(body)
	if length := r.Header.Get(headerLength); length != "" {
		n, _ = strconv.Atoi(length)
	}
	if err == nil {
		err = json.Unmarshal(body[:n], &in)
	}
	if err != nil || len(in.Inputs) != 1 {
		http.Error(w, `{"error":"unexpected request"}`, http.StatusBadRequest)
		return
	}
	asked := request{model: s.pkg.Name, input: in.Inputs[0].Name, kind: in.Inputs[0].Datatype, shape: in.Inputs[0].Shape, numbers: in.Inputs[0].Data}
	if n < len(body) {
		asked.raw = body[n:]
	}
	for _, o := range in.Outputs {
		asked.outputs = append(asked.outputs, o.Name)
	}
	found, err := s.infer(r.Context(), asked)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var outputs []any
	var rest []byte
	for _, o := range in.Outputs {
		t := map[string]any{"name": o.Name, "datatype": "FP32", "shape": s.shape(o.Name), "data": found[o.Name]}
		if o.Parameters["binary_data"] == true {
			delete(t, "data")
			t["parameters"] = map[string]any{"binary_data_size": 4 * len(found[o.Name])}
			rest = append(rest, bytesOf(found[o.Name])...)
		}
		outputs = append(outputs, t)
	}
	text, _ := json.Marshal(map[string]any{"model_name": s.pkg.Name, "outputs": outputs})
	if rest != nil {
		w.Header().Set(headerLength, strconv.Itoa(len(text)))
	}
	_, _ = w.Write(append(text, rest...))
}
