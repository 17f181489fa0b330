// Package remote runs models on a server that speaks the Open Inference
// Protocol, version 2, over HTTP, such as Triton, KServe or OpenVINO Model
// Server: one pool of them serves lines that outgrow one machine.
package remote

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"inspector/model"
)

// Name of the runtime in inspections and settings.
const Name = "remote"

// headerLength is of the binary extension: the bytes of JSON before the numbers.
const headerLength = "Inference-Header-Content-Length"

// Options of a session.
type Options struct {
	URL     string        // of the model: http://HOST:PORT/v2/models/NAME, or with /versions/VERSION
	JSON    bool          // numbers as JSON, for a server without the binary extension: slower
	Timeout time.Duration // of one inference; 0 is 10 s
}

// A ServerError is an answer of the server that is no inference.
type ServerError struct {
	URL    string
	Status int // of HTTP; 0: what it says is no inference
	Text   string
}

func (e *ServerError) Error() string {
	return fmt.Sprintf("remote: %s answers %d: %s; check model.remote and the server's log", e.URL, e.Status, e.Text)
}

// A Session runs one model on a server. It may be used by several goroutines
// at once: each inference is a request of its own.
type Session struct {
	options Options
	client  *http.Client
	input   tensor
	outputs []string
	in, out int // numbers
}

// A tensor is one of the protocol, in a request or in an answer.
type tensor struct {
	Name       string         `json:"name"`
	Shape      []int64        `json:"shape,omitempty"`
	Type       string         `json:"datatype,omitempty"`
	Parameters map[string]any `json:"parameters,omitempty"`
	Data       []float32      `json:"data,omitempty"`
}

type message struct {
	Inputs  []tensor `json:"inputs,omitempty"`
	Outputs []tensor `json:"outputs,omitempty"`
}

// Open asks the server whether the model is ready. The caller closes the
// session.
func Open(ctx context.Context, p *model.Package, o Options) (*Session, error) {
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	o.URL = strings.TrimSuffix(o.URL, "/")
	s := &Session{
		options: o, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute}},
		input: tensor{Name: p.Input().Name, Shape: p.Input().Shape(), Type: "FP32"}, in: p.InputSize(), out: p.OutputSize(),
	}
	for _, output := range p.Outputs {
		s.outputs = append(s.outputs, output.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, o.URL+"/ready", http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("remote: model.remote: %w", err)
	}
	if _, _, err := s.do(r, 1<<20); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// do gives the body of a good answer of at most limit bytes.
func (s *Session) do(r *http.Request, limit int64) ([]byte, http.Header, error) {
	answer, err := s.client.Do(r)
	if err != nil {
		return nil, nil, fmt.Errorf("remote: %w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, limit+1))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("remote: %s: %w", s.options.URL, err)
	case answer.StatusCode != http.StatusOK:
		return nil, nil, &ServerError{s.options.URL, answer.StatusCode, string(body[:min(len(body), 300)])}
	case int64(len(body)) > limit:
		return nil, nil, s.wrong("more than %d bytes", limit)
	}
	return body, answer.Header, nil
}

func (s *Session) wrong(format string, args ...any) error {
	return &ServerError{s.options.URL, 0, fmt.Sprintf(format, args...)}
}

// Run has the server compute out from in; lengths must be those of the
// package. Neither is touched after Run has returned. It gives up when ctx
// ends or the timeout is over.
func (s *Session) Run(ctx context.Context, in, out []float32) error {
	if len(in) != s.in || len(out) != s.out {
		return fmt.Errorf("remote: %d numbers in and %d out; the model has %d and %d", len(in), len(out), s.in, s.out)
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	body, header, err := s.encode(in)
	if err != nil {
		return fmt.Errorf("remote: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.options.URL+"/infer", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("remote: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	if header > 0 {
		r.Header.Set("Content-Type", "application/octet-stream")
		r.Header.Set(headerLength, strconv.Itoa(header))
	}
	answer, h, err := s.do(r, 1<<20+32*int64(s.out))
	if err != nil {
		return err
	}
	return s.decode(answer, h.Get(headerLength), out)
}

// encode writes a request; header is the length of its JSON if numbers follow.
func (s *Session) encode(in []float32) (body []byte, header int, err error) {
	input := s.input
	if s.options.JSON {
		input.Data = in
	} else {
		input.Parameters = map[string]any{"binary_data_size": 4 * len(in)}
	}
	m := message{Inputs: []tensor{input}}
	for _, name := range s.outputs {
		m.Outputs = append(m.Outputs, tensor{Name: name, Parameters: map[string]any{"binary_data": !s.options.JSON}})
	}
	if body, err = json.Marshal(m); err != nil || s.options.JSON {
		return body, 0, err
	}
	header = len(body)
	body = slices.Grow(body, 4*len(in))
	for _, v := range in {
		body = binary.LittleEndian.AppendUint32(body, math.Float32bits(v))
	}
	return body, header, nil
}

// decode reads an answer: the outputs in the order that they were asked for.
func (s *Session) decode(body []byte, header string, out []float32) error {
	text, numbers := body, []byte(nil)
	if header != "" {
		n, err := strconv.Atoi(header)
		if err != nil || n < 0 || n > len(body) {
			return s.wrong("%s %q of %d bytes", headerLength, header, len(body))
		}
		text, numbers = body[:n], body[n:]
	}
	var m message
	if err := json.Unmarshal(text, &m); err != nil {
		return s.wrong("no inference: %v", err)
	}
	found := map[string][]float32{}
	for _, t := range m.Outputs {
		data := t.Data
		if size, ok := t.Parameters["binary_data_size"].(float64); ok {
			if size < 0 || size > float64(len(numbers)) || int(size)%4 != 0 {
				return s.wrong("output %q of %v bytes, where %d are left", t.Name, size, len(numbers))
			}
			data = make([]float32, int(size)/4)
			for i := range data {
				data[i] = math.Float32frombits(binary.LittleEndian.Uint32(numbers[4*i:]))
			}
			numbers = numbers[int(size):]
		}
		if t.Type != "FP32" {
			return s.wrong("output %q of %s; want FP32", t.Name, t.Type)
		}
		found[t.Name] = data
	}
	for _, name := range s.outputs {
		data, ok := found[name]
		if !ok || len(data) > len(out) {
			return s.wrong("output %q has %d numbers; want %d", name, len(data), len(out))
		}
		out = out[copy(out, data):]
	}
	if len(out) != 0 {
		return s.wrong("%d numbers too few", len(out))
	}
	return nil
}

// Close lets go of the connections. Again is harmless.
func (s *Session) Close() error {
	s.client.CloseIdleConnections()
	return nil
}
