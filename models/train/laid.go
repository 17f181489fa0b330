package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"

	"inspector"
	"inspector/classify"
)

// laid sends pairs, in order, of which a share is laid over the golden board as
// the appliance does. Of those a pair that cannot be laid is left out: the
// appliance would be unsure.
func laid(pairs <-chan pair, share float64, seed uint64) <-chan pair {
	if share <= 0 {
		return pairs
	}
	done := make(chan chan pair, 2*runtime.GOMAXPROCS(0))
	go func() {
		defer close(done)
		r, i := rand.New(rand.NewPCG(seed, 0x1a1d)), 0
		for p := range pairs {
			one := make(chan pair, 1)
			done <- one
			lay, n := r.Float64() < share, i
			go func() {
				defer close(one)
				if p.err == nil && lay {
					if err := p.lay(); err != nil {
						fmt.Fprintf(os.Stderr, "pair %d is left out: the appliance would be unsure: %v\n", n, err)
						return
					}
				}
				one <- p
			}()
			i++
		}
	}()
	return joined(done)
}

// lay makes p as the model sees it.
func (p *pair) lay() error {
	as := func(plate []byte) inspector.Pixels {
		return inspector.Pixels{Width: size, Height: size, Channels: 1, Stride: size, Data: plate}
	}
	l, err := classify.Lay(as(p.tested), as(p.golden), 1)
	if err != nil {
		return err
	}
	p.tested, p.golden = l.Tested.Data, l.Golden.Data
	for i, d := range p.defects {
		p.defects[i].Box = l.Box(d.Box)
	}
	return nil
}
