package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"inspector/board"
	"inspector/classify"
)

// exampleCommand draws stills of good boards and of boards with defects, to
// try inspector recipe learn with.
func exampleCommand(args []string, env func(string) string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("recipe example", flag.ContinueOnError)
	n := f.Int("stills", 24, "good ones, and as many with defects")
	config := f.String("config", "", "configuration `file`, whose simulated.seed and style count; empty: the defaults")
	f.Usage = func() {
		fmt.Fprintln(stderr, "usage: inspector recipe example FOLDER\nDraws stills of boards: FOLDER/good and FOLDER/bad, to learn a recipe from.")
		f.PrintDefaults()
	}
	if err := parse(f, args, stderr); err != nil {
		return err
	}
	if f.NArg() != 1 || *n < 1 {
		return exit{2, errors.New("recipe example: name the folder to write")}
	}
	c, err := loadConfig(*config, env)
	if err != nil {
		return exit{2, err}
	}
	b, err := board.New(c.Simulated.Seed, simulatedSize)
	if err != nil {
		return err
	}
	for kind, defects := range map[string]int{"good": 0, "bad": 3} {
		dir := filepath.Join(f.Arg(0), kind)
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return err
		}
		for i := range *n {
			o := board.Usual(board.Style(c.Simulated.Style))
			if defects > 0 {
				o.Defects = 1 + i%defects
			}
			px, _, err := b.Sample(uint64(i+defects**n), o)
			if err != nil {
				return err
			}
			data, err := classify.PNG(px)
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("board%03d.png", i)), data, 0o666)
			}
			if err != nil {
				return fmt.Errorf("recipe example: %w", err)
			}
		}
	}
	fmt.Fprintf(stdout, "drew %d good and %d bad boards below %s; copper is %s\n", *n, *n, f.Arg(0), map[string]classify.Tone{"photo": classify.Bright, "plate": classify.Dark}[c.Simulated.Style])
	return nil
}
