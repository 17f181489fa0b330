package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// A progress shows on a terminal how much of some work is done.
type progress struct {
	done atomic.Int64
	all  int
	what string
}

// show draws until stop, which returns when it has cleared its line. On what
// is no terminal it draws nothing.
func (p *progress) show(w io.Writer) (stop func()) {
	if !terminal(w) {
		return func() {}
	}
	end, ended := make(chan struct{}), make(chan struct{})
	begun := time.Now()
	go func() {
		defer close(ended)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				fmt.Fprintf(w, "\r%s\x1b[K", bar(int(p.done.Load()), p.all, time.Since(begun), p.what))
			case <-end:
				fmt.Fprint(w, "\r\x1b[K")
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}

// bar is one line of progress after some time.
func bar(done, all int, after time.Duration, what string) string {
	const width = 30
	full := 0
	if all > 0 {
		full = min(width*done/all, width)
	}
	line := fmt.Sprintf("[%s%s] %d of %d %s", strings.Repeat("#", full), strings.Repeat(".", width-full), done, all, what)
	if done == 0 || after <= 0 {
		return line
	}
	left := time.Duration(float64(after) / float64(done) * float64(all-done)).Round(time.Second)
	return fmt.Sprintf("%s, %.1f a second, %v left", line, float64(done)/after.Seconds(), left)
}

// terminal reports whether w is one.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull
}
