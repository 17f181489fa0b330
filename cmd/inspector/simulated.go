package main

import (
	"fmt"
	"math/rand/v2"

	"inspector"
	"inspector/board"
	"inspector/classify"
)

const (
	simulatedName = "simulated"
	simulatedSize = 640 // pixels square
)

// simulatedRecipe is the recipe of the boards that the simulated line draws.
func simulatedRecipe(c SimulatedConfig) (recipe, error) {
	b, err := board.New(c.Seed, simulatedSize)
	if err != nil {
		return recipe{}, fmt.Errorf("simulated.seed: %w", err)
	}
	golden, err := b.Golden(board.Style(c.Style))
	if err != nil {
		return recipe{}, err
	}
	copper := classify.Dark
	if board.Style(c.Style) == board.Photo {
		copper = classify.Bright
	}
	return recipe{Copper: copper, drawn: golden}, nil
}

// simulatedBoards gives what stands in front of the camera of the simulated
// line: board n, good or with defects, named by what it has.
func simulatedBoards(c SimulatedConfig) (func(n uint64) (inspector.Pixels, string, error), error) {
	b, err := board.New(c.Seed, simulatedSize)
	if err != nil {
		return nil, fmt.Errorf("simulated.seed: %w", err)
	}
	return func(n uint64) (inspector.Pixels, string, error) {
		r := rand.New(rand.NewPCG(c.Seed, n))
		o := board.Usual(board.Style(c.Style))
		if r.Float64() < c.DefectRate {
			o.Defects = 1 + r.IntN(4)
		}
		p, defects, err := b.Sample(r.Uint64(), o)
		return p, fmt.Sprintf("board-%d-%d-defects", n, len(defects)), err
	}, nil
}
