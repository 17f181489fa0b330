package classify

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"inspector/model"
	"inspector/model/onnxgo"
	"inspector/model/onnxruntime"
)

// The shipped model proves itself on every runtime that is here.
func TestProveShipped(t *testing.T) {
	p := load(t, "../models", "pcb")
	open := map[string]func() (session, func() error, error){
		"onnx-go": func() (session, func() error, error) {
			s, err := onnxgo.Open(p)
			if err != nil {
				return nil, nil, err
			}
			return s, s.Close, nil
		},
		"onnxruntime": func() (session, func() error, error) {
			s, err := onnxruntime.Open("", p, onnxruntime.Options{})
			if err != nil {
				return nil, nil, err
			}
			return s, s.Close, nil
		},
	}
	for name, start := range open {
		t.Run(name, func(t *testing.T) {
			s, stop, err := start()
			var missing *onnxruntime.MissingError
			if errors.As(err, &missing) {
				t.Skip(err)
			} else if err != nil {
				t.Fatal(err)
			}
			defer stop()
			proof, err := Prove(t.Context(), p, s, time.Minute)
			if err != nil || proof.Vectors != 1 || proof.Worst > model.ToleranceFP32 || proof.P95 < proof.Median || proof.Median <= 0 {
				t.Errorf("%+v, %v", proof, err)
			}
		})
	}
}

// spoilt is a session whose every output but the first few goes through a
// function.
type spoilt struct {
	session
	after int
	spoil func(out []float32)
}

func (s *spoilt) Run(ctx context.Context, in, out []float32) error {
	err := s.session.Run(ctx, in, out)
	if s.after--; s.after < 0 {
		s.spoil(out)
	}
	return err
}

// A runtime that computes something else is refused, whatever it is.
func TestProveRefusesVectors(t *testing.T) {
	p, s := pcb(t)
	at := func(channel int) []int { return []int{channel * 6400, (channel + 1) * 6400} }
	for name, c := range map[string]struct {
		after int
		spoil func(out []float32)
		want  string
	}{
		"one channel a little off": {0, func(out []float32) {
			for i := at(7)[0]; i < at(7)[1]; i++ {
				out[i] += 2e-4
			}
		}, "output channel 7"},
		"NaN":                   {0, func(out []float32) { out[5] = float32(math.NaN()) }, "NaN"},
		"nothing":               {0, func(out []float32) { clear(out) }, "output channel 0"},
		"wrong the second time": {1, func(out []float32) { out[0] += 3 }, "output channel 0"},
		"objects moved":         {0, func(out []float32) { slices.Reverse(out[at(0)[0]:at(0)[1]]) }, "not found where it should be"},
		"classes swapped": {0, func(out []float32) {
			for i := range 6400 {
				a, b := 6400+i, 2*6400+i
				out[a], out[b] = out[b], out[a]
			}
		}, "output channel 1"},
	} {
		t.Run(name, func(t *testing.T) {
			proof, err := Prove(t.Context(), p, &spoilt{s, c.after, c.spoil}, 0)
			var refused *ProofError
			if !errors.As(err, &refused) || !refused.Permanent() || !errors.Is(err, ErrVector) && name != "NaN" || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), p.ID()) {
				t.Errorf("%+v, %v; want refused for %q", proof, err, c.want)
			}
		})
	}
}

// slow is a session that takes its time.
type slow struct {
	session
	time.Duration
}

func (s slow) Run(ctx context.Context, in, out []float32) error {
	select {
	case <-time.After(s.Duration):
		return s.session.Run(ctx, in, out)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestProveRefusesSlow(t *testing.T) {
	p, s := tiny(t)
	if proof, err := Prove(t.Context(), p, slow{s, 20 * time.Millisecond}, 10*time.Millisecond); !errors.Is(err, ErrSlow) || proof.P95 < 20*time.Millisecond || !strings.Contains(err.Error(), "takt") {
		t.Errorf("%+v, %v", proof, err)
	}
	if proof, err := Prove(t.Context(), p, s, time.Minute); err != nil || proof.P95 <= 0 {
		t.Errorf("%+v, %v", proof, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Prove(ctx, p, slow{s, time.Hour}, time.Second); !errors.Is(err, context.Canceled) {
		t.Errorf("asked to stop: %v", err)
	}
}

// tiny is the test model that compares with a golden board, in onnx-go, with
// room for proofs of our own.
func tiny(t *testing.T) (*model.Package, session) {
	p := load(t, "../model/testdata/models", "difference")
	s, err := onnxgo.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	own := *p
	return &own, s
}

// platePNG is a picture of 64 x 64 with a square of copper, and a bite out of it.
func platePNG(t *testing.T, bite int) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 64, 64))
	for i := range m.Pix {
		m.Pix[i] = 255
		if x, y := i%64, i/64; x >= 16 && x < 48 && y >= 16 && y < 48 && (x >= 16+bite || y >= 16+bite) {
			m.Pix[i] = 0
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestProveStills(t *testing.T) {
	p, s := tiny(t)
	still := func(name string, bite int, verdict string) model.Still {
		return model.Still{Sample: model.Sample{Still: name, Golden: "golden.png", Verdict: verdict}, Tested: platePNG(t, bite), Good: platePNG(t, 0)}
	}
	p.Proof.Stills = []model.Still{still("good.png", 0, "pass"), still("bad.png", 8, "fail")}
	if proof, err := Prove(t.Context(), p, s, 0); err != nil || proof.Stills != 2 {
		t.Errorf("%+v, %v", proof, err)
	}
	for _, wrong := range []model.Still{still("escape.png", 0, "fail"), still("call.png", 8, "pass")} {
		p.Proof.Stills = []model.Still{still("good.png", 0, "pass"), wrong}
		if _, err := Prove(t.Context(), p, s, 0); !errors.Is(err, ErrStill) || !strings.Contains(err.Error(), wrong.Still) {
			t.Errorf("%s: %v", wrong.Still, err)
		}
	}
	p.Proof.Stills = []model.Still{{Sample: model.Sample{Still: "text.png", Verdict: "pass"}, Tested: []byte("no picture"), Good: platePNG(t, 0)}}
	if _, err := Prove(t.Context(), p, s, 0); err == nil || !strings.Contains(err.Error(), "text.png") {
		t.Errorf("no picture: %v", err)
	}
}

func TestProveTensors(t *testing.T) {
	p, s := tiny(t)
	in, out := make([]float32, p.InputSize()), make([]float32, p.OutputSize())
	for i := range in {
		in[i] = float32(i%7) / 7
	}
	if err := s.Run(t.Context(), in, out); err != nil {
		t.Fatal(err)
	}
	p.Proof.Tensors = []model.TensorVector{{Name: "raw.json", Input: in, Output: slices.Clone(out)}}
	if proof, err := Prove(t.Context(), p, s, 0); err != nil || proof.Vectors != 1 || proof.Worst != 0 {
		t.Errorf("%+v, %v", proof, err)
	}
	out[17] += 2 * model.ToleranceFP32
	p.Proof.Tensors[0].Output = out
	if _, err := Prove(t.Context(), p, s, 0); !errors.Is(err, ErrVector) || !strings.Contains(err.Error(), "output 17") {
		t.Errorf("one number off: %v", err)
	}
	p.Variant, p.Variants = model.INT8, map[string]model.Variant{model.INT8: {}}
	if _, err := Prove(t.Context(), p, s, 0); err != nil {
		t.Errorf("one number off, of int8: %v", err)
	}
	near, far := slices.Clone(out), slices.Clone(out)
	near[17] += .015
	far[17] += .03 // which fp32's vector would let pass
	for _, own := range []struct {
		numbers []float32
		variant string
		ok      bool
	}{{near, model.INT8, true}, {far, model.INT8, false}, {far, model.FP32, true}} {
		p.Proof.Tensors[0].Output, p.Proof.Tensors[0].Variant = own.numbers, own.variant
		if _, err := Prove(t.Context(), p, s, 0); (err == nil) != own.ok {
			t.Errorf("a vector of %s: %v", own.variant, err)
		}
	}
	p.Variant, p.Proof.Tensors[0].Output, p.Proof.Tensors[0].Variant = model.FP32, far, model.INT8
	if proof, err := Prove(t.Context(), p, s, 0); err != nil || proof.Vectors != 0 {
		t.Errorf("int8's vector is none of fp32's: %+v, %v", proof, err)
	}
	p.Proof.Tensors[0].Variant = model.FP32
	p.Proof.Tensors[0].Output = out[1:]
	if _, err := Prove(t.Context(), p, s, 0); !errors.Is(err, ErrVector) {
		t.Errorf("too few numbers: %v", err)
	}
}

// Pictures of a package keep their colours: BGR here, grey where there are none.
func TestDecodePicture(t *testing.T) {
	colours := image.NewRGBA(image.Rect(0, 0, 2, 1))
	colours.Set(0, 0, color.RGBA{10, 20, 30, 255})
	bits := image.NewPaletted(image.Rect(0, 0, 3, 2), color.Palette{color.Black, color.White})
	bits.SetColorIndex(2, 1, 1)
	for _, c := range []struct {
		m        image.Image
		channels int
		at       int
		want     []byte
	}{{colours, 3, 0, []byte{30, 20, 10}}, {bits, 1, 5, []byte{255}}} {
		var b bytes.Buffer
		if err := png.Encode(&b, c.m); err != nil {
			t.Fatal(err)
		}
		p, err := decodePicture(b.Bytes())
		if err != nil || p.Check() != nil || p.Channels != c.channels || !bytes.Equal(p.Data[c.at:c.at+len(c.want)], c.want) {
			t.Errorf("%+v, %v", p, err)
		}
	}
}

func FuzzDecodePicture(f *testing.F) {
	names, err := filepath.Glob("../models/pcb/*/vectors/golden.png")
	if err != nil || len(names) == 0 {
		f.Fatalf("no vector of the shipped model: %v", err)
	}
	b, err := os.ReadFile(names[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[:200])
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := decodePicture(data); err == nil && p.Check() != nil {
			t.Errorf("%d bytes give %v", len(data), p.Check())
		}
	})
}
