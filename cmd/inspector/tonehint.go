package main

import (
	"fmt"
	"io"

	"inspector"
	"inspector/evaluate"
)

// hintTone asks whether copper is bright, if the pictures are photographs and
// nobody has said how copper looks: the default is that of binarised plates.
func (e *evaluation) hintTone(o evalOptions, samples []evaluate.Sample, stderr io.Writer) {
	if o.copper != "" || o.recipe != "" || !e.pkg.Input().Binarise || len(samples) == 0 {
		return
	}
	if px, err := readStill(samples[0].Picture); err == nil && colourful(px) {
		fmt.Fprintf(stderr, "inspector: %s is a photograph, and copper is taken to be its dark part; if it is the bright part, as gold, tin or light mask on dark laminate are, say --copper bright\n", samples[0].Name)
	}
}

// colourful reports whether samples of a pixel differ by more than a camera's
// white balance explains: by 16 grey levels on average.
func colourful(px inspector.Pixels) bool {
	if px.Channels != 3 {
		return false
	}
	sum := 0
	for y := range px.Height {
		row := px.Data[y*px.Stride:][:3*px.Width]
		for x := 0; x < len(row); x += 3 {
			sum += int(max(row[x], row[x+1], row[x+2]) - min(row[x], row[x+1], row[x+2]))
		}
	}
	return sum > 16*px.Width*px.Height
}
