package modeltest

import (
	"encoding/json"
	"errors"
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
	asked, binary, err := s.asked(r)
	if err != nil {
		http.Error(w, `{"error":"unexpected request"}`, http.StatusBadRequest)
		return
	}
	found, err := s.infer(r.Context(), asked)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.write(w, asked.outputs, found, binary)
}

// asked reads a request; binary are the outputs that are wanted as bytes.
func (s server) asked(r *http.Request) (asked request, binary map[string]bool, err error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return asked, nil, err
	}
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
	if err := json.Unmarshal(body[:n], &in); err != nil {
		return asked, nil, err
	}
	if len(in.Inputs) != 1 {
		return asked, nil, errors.New("not one input")
	}
	asked = request{model: s.pkg.Name, input: in.Inputs[0].Name, kind: in.Inputs[0].Datatype, shape: in.Inputs[0].Shape, numbers: in.Inputs[0].Data}
	if n < len(body) {
		asked.raw = body[n:]
	}
	binary = map[string]bool{}
	for _, o := range in.Outputs {
		asked.outputs = append(asked.outputs, o.Name)
		binary[o.Name] = o.Parameters["binary_data"] == true
	}
	return asked, binary, nil
}

func (s server) write(w http.ResponseWriter, names []string, found map[string][]float32, binary map[string]bool) {
	var outputs []any
	var rest []byte
	for _, name := range names {
		t := map[string]any{"name": name, "datatype": "FP32", "shape": s.shape(name), "data": found[name]}
		if binary[name] {
			delete(t, "data")
			t["parameters"] = map[string]any{"binary_data_size": 4 * len(found[name])}
			rest = append(rest, bytesOf(found[name])...)
		}
		outputs = append(outputs, t)
	}
	text, _ := json.Marshal(map[string]any{"model_name": s.pkg.Name, "model_version": "1", "outputs": outputs})
	if rest != nil {
		w.Header().Set(headerLength, strconv.Itoa(len(text)))
	}
	_, _ = w.Write(append(text, rest...))
}
