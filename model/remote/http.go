package remote

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// headerLength is of the binary extension: the bytes of JSON before the numbers.
const headerLength = "Inference-Header-Content-Length"

// httpLink speaks the protocol over HTTP.
type httpLink struct {
	*network
	url    string
	asJSON bool
	client *http.Client
	who    who
}

func openHTTP(a address, n *network, trust *tls.Config, asJSON bool) *httpLink {
	t := &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, TLSClientConfig: trust, Protocols: new(http.Protocols)}
	t.Protocols.SetHTTP1(true) // a dead connection then costs the one board that is on it
	return &httpLink{network: n, url: a.String(), asJSON: asJSON, client: &http.Client{Transport: t}}
}

// A jsonTensor is a tensor in a request or in an answer, with its numbers or
// what is said of them.
type jsonTensor struct {
	tensor
	Parameters map[string]any `json:"parameters,omitempty"`
	Data       numbers        `json:"data,omitempty"`
}

// numbers are flat or nested, as a server likes.
type numbers []float32

// UnmarshalJSON drops the brackets: how many numbers there must be follows from
// the shape. null, as some write what is not a number, is none and not 0.
func (n *numbers) UnmarshalJSON(b []byte) error {
	if bytes.Contains(b, []byte("null")) {
		return errors.New("null among the numbers")
	}
	flat := bytes.Map(func(r rune) rune {
		if r == '[' || r == ']' {
			return -1
		}
		return r
	}, b)
	return json.Unmarshal(append(append([]byte{'['}, flat...), ']'), (*[]float32)(n))
}

type message struct {
	Model   any          `json:"model_name,omitempty"` // of an answer
	Version any          `json:"model_version,omitempty"`
	Inputs  []jsonTensor `json:"inputs,omitempty"`
	Outputs []jsonTensor `json:"outputs,omitempty"`
}

func (l *httpLink) get(ctx context.Context, path string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url+path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("remote: model.remote: %w", err)
	}
	body, _, err := l.do(r, 1<<20)
	return body, err
}

func (l *httpLink) ready(ctx context.Context) error {
	body, err := l.get(ctx, "/ready")
	var said struct{ Ready any } // some say so in the body only
	if err == nil && json.Unmarshal(body, &said) == nil && (said.Ready == false || said.Ready == "False") {
		return l.missing("", "the model is not ready")
	}
	var no *ServerError
	if errors.As(err, &no) {
		no.Missing = true
	}
	return err
}

func (l *httpLink) metadata(ctx context.Context) (inputs, outputs []tensor, err error) {
	body, err := l.get(ctx, "")
	var no *ServerError
	if errors.As(err, &no) { // ready, but it does not say what it has
		return nil, nil, nil
	} else if err != nil {
		return nil, nil, err
	}
	var m struct{ Inputs, Outputs []tensor }
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, nil, l.wrong("no metadata of a model: %v", err)
	}
	return m.Inputs, m.Outputs, nil
}

// do gives the body of a good answer of at most limit bytes.
func (l *httpLink) do(r *http.Request, limit int) ([]byte, http.Header, error) {
	got, err := l.client.Do(r)
	if err != nil {
		return nil, nil, l.silent(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(io.LimitReader(got.Body, int64(limit)+1))
	switch {
	case err != nil:
		return nil, nil, l.silent(err)
	case got.StatusCode != http.StatusOK:
		return nil, nil, &ServerError{
			URL: l.network.url, Status: strconv.Itoa(got.StatusCode) + " " + http.StatusText(got.StatusCode), Text: cut(string(body)),
			Missing: got.StatusCode == http.StatusNotFound, TooLong: got.StatusCode == http.StatusRequestEntityTooLarge,
		}
	case len(body) > limit:
		return nil, nil, l.wrong("more than %d bytes", limit)
	}
	return body, got.Header, nil
}

func (l *httpLink) infer(ctx context.Context, in, out []float32) error {
	body, header, err := l.encode(in)
	if err != nil {
		return fmt.Errorf("remote: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url+"/infer", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("remote: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	if header > 0 {
		r.Header.Set("Content-Type", "application/octet-stream")
		r.Header.Set(headerLength, strconv.Itoa(header))
	}
	got, h, err := l.do(r, l.mostBytes())
	if err != nil {
		return err
	}
	answers, err := l.decode(got, h.Get(headerLength))
	if err != nil {
		return err
	}
	return l.gather(answers, out)
}

// encode writes a request; header is the length of its JSON if numbers follow.
func (l *httpLink) encode(in []float32) (body []byte, header int, err error) {
	input := jsonTensor{tensor: l.input}
	if l.asJSON {
		input.Data = in
	} else {
		input.Parameters = map[string]any{"binary_data_size": input.size(len(in))}
	}
	m := message{Inputs: []jsonTensor{input}}
	for _, t := range l.outputs {
		m.Outputs = append(m.Outputs, jsonTensor{tensor: tensor{Name: t.Name}, Parameters: map[string]any{"binary_data": !l.asJSON}})
	}
	if body, err = json.Marshal(m); err != nil || l.asJSON {
		return body, 0, err
	}
	return input.appendTo(body, in), len(body), nil
}

// decode reads an answer.
func (l *httpLink) decode(body []byte, header string) ([]answer, error) {
	text, rest := body, []byte(nil)
	if header != "" {
		n, err := strconv.Atoi(header)
		if err != nil || n < 0 || n > len(body) {
			return nil, l.wrong("%s %q of %d bytes", headerLength, header, len(body))
		}
		text, rest = body[:n], body[n:]
	}
	var m message
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, l.wrong("%v", err)
	}
	if err := l.who.same(l.network.url, m.Model, m.Version); err != nil {
		return nil, err
	}
	var out []answer
	for _, t := range m.Outputs {
		a := answer{tensor: t.tensor, numbers: t.Data}
		if size, ok := t.Parameters["binary_data_size"].(float64); ok {
			if !(0 <= size && size <= float64(len(rest))) {
				return nil, l.wrong("output %q of %v bytes, where %d are left", t.Name, size, len(rest))
			}
			a.raw, rest = rest[:int(size)], rest[int(size):]
		}
		out = append(out, a)
	}
	return out, nil
}

func (l *httpLink) close() error {
	l.client.CloseIdleConnections()
	return nil
}
