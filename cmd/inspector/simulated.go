package main

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"inspector"
	"inspector/board"
	"inspector/classify"
)

const (
	simulatedName = "simulated"
	simulatedSize = 640 // pixels square
)

// A simulation is the board that the simulated line makes. It is drawn once,
// when somebody first wants to see it. Its methods may be called from any
// goroutine.
type simulation struct {
	config SimulatedConfig
	design func() (*board.Board, error)
}

func newSimulation(c SimulatedConfig) *simulation {
	return &simulation{c, sync.OnceValues(func() (*board.Board, error) {
		b, err := board.New(c.Seed, simulatedSize)
		if err != nil {
			return nil, fmt.Errorf("simulated.seed: %w", err)
		}
		return b, nil
	})}
}

// recipe is that of the boards that the simulated line draws.
func (s *simulation) recipe() recipe {
	copper := classify.Dark
	if board.Style(s.config.Style) == board.Photo {
		copper = classify.Bright
	}
	return recipe{Copper: copper, drawn: func() (inspector.Pixels, error) {
		b, err := s.design()
		if err != nil {
			return inspector.Pixels{}, err
		}
		return b.Golden(board.Style(s.config.Style))
	}}
}

// still is what stands in front of the camera of the simulated line: board n,
// good or with defects, named by what it has.
func (s *simulation) still(n uint64) (inspector.Pixels, string, error) {
	b, err := s.design()
	if err != nil {
		return inspector.Pixels{}, "", err
	}
	r := rand.New(rand.NewPCG(s.config.Seed, n))
	o := board.Usual(board.Style(s.config.Style))
	if r.Float64() < s.config.DefectRate {
		o.Defects = 1 + r.IntN(4)
	}
	p, defects, err := b.Sample(r.Uint64(), o)
	return p, fmt.Sprintf("board-%d-%d-defects", n, len(defects)), err
}
