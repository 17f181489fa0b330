package main

import (
	"context"
	"io"

	"inspector/notify/people"
)

// maxShown is the largest picture that is sent to people, in bytes.
const maxShown = 8 << 20

// show is the picture of the board, or of the gravest one of a digest. A
// message without a picture is better than none.
func (c *channels) show(ctx context.Context, m people.Message) *people.Picture {
	id := ""
	switch {
	case m.Board != nil:
		id = m.Board.ID
	case m.Digest != nil:
		for _, i := range m.Digest.Items {
			if id = i.Board; id != "" {
				break
			}
		}
	}
	if id == "" || c.picture == nil {
		return nil
	}
	f, b, err := c.picture(ctx, id)
	if err != nil {
		return nil
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxShown+1))
	if err != nil || len(data) > maxShown {
		return nil
	}
	return &people.Picture{Name: id + ".jpg", Type: b.Type, Data: data}
}
