package main

import (
	"os"
	"path/filepath"
	"testing"

	"inspector/board"
	"inspector/classify"
)

// The board of the simulated line is drawn when somebody first wants to see it,
// and once.
func TestSimulatedBoardIsDrawnWhenNeeded(t *testing.T) {
	for _, own := range []bool{false, true} {
		c := defaults()
		c.Data = t.TempDir()
		given := map[string]recipe{}
		if own {
			picture, err := newSimulation(c.Simulated).recipe().drawn()
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join(t.TempDir(), "golden.jpg")
			if err := os.WriteFile(golden, jpeg(t, picture), 0o600); err != nil {
				t.Fatal(err)
			}
			c.Recipe, given["own"] = "own", recipe{Copper: classify.Bright, Golden: golden}
		}
		j, err := openJudges(t.Context(), c, given)
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		looked := 0
		design := j.simulation.design
		j.simulation.design = func() (*board.Board, error) { looked++; return design() }
		p, err := j.take(simulatedName)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := p.of(""); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.leave(); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{false: 0, true: 1}[own]; looked != want {
			t.Errorf("own recipe %v: a board of the simulated recipe had it drawn %d times; want %d", own, looked, want)
		}
	}
}
