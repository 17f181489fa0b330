package store

import (
	"os"
	"path/filepath"
	"testing"

	"inspector"
)

// Evidence of which a part cannot be put leaves nothing behind, and the board
// can be accepted once it can.
func TestEvidenceIsWholeOrAbsent(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	in := judged(s.NextID(), inspector.Fail)
	folder := filepath.Join(dir, "evidence", shard(1))
	inTheWay := filepath.Join(folder, in.ID+".overlay.jpg", "something") // no file can be renamed over it
	if err := os.MkdirAll(inTheWay, 0o750); err != nil {
		t.Fatal(err)
	}
	evidence := []Evidence{{Kind: "image", Type: "image/jpeg", Data: []byte("a")}, {Kind: "overlay", Type: "image/jpeg", Data: []byte("b")}}
	if _, err := s.Accept(t.Context(), in, evidence, begin); err == nil {
		t.Fatal("accepted without its overlay")
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 1 {
		t.Errorf("after the failure the folder holds %v, %v; want only what was in the way", left, err)
	}
	if err := os.RemoveAll(filepath.Dir(inTheWay)); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Accept(t.Context(), in, evidence, begin); err != nil || len(got.Evidence) != 2 {
		t.Errorf("accepted again: %v, %v", got.Evidence, err)
	}
}
