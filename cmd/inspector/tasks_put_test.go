package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"inspector"
	"inspector/classify"
	"inspector/store"
	"inspector/upstream"
	"inspector/workflow"
)

// putting is a board that is remembered, and the task that hands it on.
type putting struct {
	*tasks
	board inspector.Inspection
	data  string
	up    string
}

func newPutting(t *testing.T) *putting {
	t.Helper()
	p := &putting{data: t.TempDir(), up: t.TempDir()}
	disk, err := store.Open(t.Context(), p.data, "aoi_1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { disk.Close() })
	up, err := upstream.NewFolder(upstream.FolderConfig{Dir: p.up, Bucket: "b", Queue: "q"})
	if err != nil {
		t.Fatal(err)
	}
	p.tasks = &tasks{store: disk, upstream: up}
	still, err := classify.PNG(grain(320, 240))
	if err != nil {
		t.Fatal(err)
	}
	i := inspector.Inspection{ID: disk.NextID().String(), Seq: 1, At: time.Now().UTC(), Recipe: "main", Model: "m/1@00", Verdict: inspector.Fail, Reason: "test", Width: 320, Height: 240,
		Defects: []inspector.Defect{{Class: "short", Score: .9, Box: inspector.Box{Left: 20, Top: 60, Right: 80, Bottom: 110}}, {Class: "open", Score: .7, Box: inspector.Box{Left: 200, Top: 5, Right: 310, Bottom: 40}}}}
	p.board, err = disk.Accept(t.Context(), i, []store.Evidence{{Kind: "image", Type: "image/png", Data: still}}, func(inspector.Inspection) ([]workflow.Transition, error) { return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *putting) do(ctx context.Context, key, body string) error {
	in, err := json.Marshal(map[string]string{"Key": key, "Body": body, "Tagging": "verdict=fail"})
	if err != nil {
		return err
	}
	_, err = p.put(ctx, workflow.Task{Resource: putObject, Execution: p.board.ID, Key: p.board.ID + "/x/1", Input: in})
	return err
}

// The overlay is the same bytes on every attempt, and those that the page shows.
func TestPutOverlay(t *testing.T) {
	p := newPutting(t)
	var first []byte
	for range 3 {
		drawn, of, err := overlay(t.Context(), p.store, p.board.ID)
		if err != nil || of == "" || first != nil && !bytes.Equal(drawn, first) {
			t.Fatalf("other bytes are drawn (%d of %d), %v", len(drawn), len(first), err)
		}
		first = drawn
	}
	for range 2 {
		if err := p.do(t.Context(), "k/overlay.jpg", bodyOverlay+p.board.ID); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(filepath.Join(p.up, "b", "k", "overlay.jpg"))
	if err != nil || !bytes.Equal(have, first) {
		t.Errorf("upstream has %d bytes, %v; drawn were %d", len(have), err, len(first))
	}
	shown, blob, err := (&backend{store: p.store}).Evidence(t.Context(), p.board.ID, "overlay")
	if err != nil {
		t.Fatal(err)
	}
	defer shown.Close()
	if page, err := io.ReadAll(shown); err != nil || !bytes.Equal(page, first) || blob.Size != int64(len(first)) {
		t.Errorf("the page shows %d bytes, %v", len(page), err)
	}
	if err := p.do(t.Context(), "k/none.jpg", bodyOverlay+"aoi_1-5eed0001-99"); !permanent(err) {
		t.Errorf("a board that is not there: %v", err)
	}
}

// A picture goes upstream as it was recorded, or a person must look.
func TestPutEvidence(t *testing.T) {
	p := newPutting(t)
	path := p.board.Evidence[0].Path
	file := filepath.Join(p.data, "evidence", path)
	still, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.do(t.Context(), "k/image.png", bodyEvidence+path); err != nil {
		t.Fatal(err)
	}
	if have, err := os.ReadFile(filepath.Join(p.up, "b", "k", "image.png")); err != nil || !bytes.Equal(have, still) {
		t.Errorf("upstream has %d bytes, %v", len(have), err)
	}
	for code, damaged := range map[string][]byte{"DamagedBody": append(bytes.Clone(still[:len(still)-1]), still[len(still)-1]^1), "WrongSize": still[:100]} {
		if err := errors.Join(os.Remove(file), os.WriteFile(file, damaged, 0o600)); err != nil {
			t.Fatal(err)
		}
		var f *upstream.Fault
		if err := p.do(t.Context(), "k/"+code, bodyEvidence+path); !errors.As(err, &f) || f.Code != code || !f.Permanent() {
			t.Errorf("%s: %v", code, err)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{bodyEvidence + path, bodyOverlay + p.board.ID} {
		if err := p.do(t.Context(), "k/gone", body); !permanent(err) {
			t.Errorf("%s is gone: %v", body, err)
		}
	}
}
