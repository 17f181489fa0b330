package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"inspector/board"
	"inspector/classify"
	"inspector/evaluate"
)

// Photographs without a word about copper bring a hint; plates and choices do not.
func TestToneHint(t *testing.T) {
	b, err := board.New(1, simulatedSize)
	if err != nil {
		t.Fatal(err)
	}
	for style, photo := range map[board.Style]bool{board.Photo: true, board.Plate: false} {
		px, _, err := b.Sample(1, board.Usual(style))
		if err != nil {
			t.Fatal(err)
		}
		data, err := classify.PNG(px)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "board.png")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		e := &evaluation{pkg: shippedModel(t)}
		samples := []evaluate.Sample{{Name: "board.png", Picture: file}}
		for _, o := range []evalOptions{{}, {copper: "bright"}, {recipe: "mainboard"}} {
			var said bytes.Buffer
			e.hintTone(o, samples, &said)
			if hint := strings.Contains(said.String(), "--copper bright"); hint != (photo && o == evalOptions{}) {
				t.Errorf("%s, %+v: %q", style, o, &said)
			}
		}
	}
}
