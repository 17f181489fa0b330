package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// table is Markdown, one row for each task.
func table(tasks []task, results []result) string {
	var b strings.Builder
	b.WriteString("| runtime | network | threads | model alone, ms (p95) | CPU-ms | plate to verdict, ms (p95) | CPU-ms | photo to verdict, ms (p95) | CPU-ms | CPU beside the model, plate / photo | JPEG to verdict on all cores, boards/s | load, ms | first, ms | resident, MB | Go allocates a board | above 32 KiB |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for i, t := range tasks {
		r := results[i]
		plate, photo := r.Whole["plate"], r.Whole["photo"]
		fmt.Fprintf(&b, "| %s | %s | %d | %s | %s | %s | %s | %s | %s | %s / %s | %s | %.0f | %.0f | %.0f | %s | %s |\n",
			named(t.Runtime), t.Network, t.Threads, times(r.Model), cpu(r.Model), times(plate), cpu(plate), times(photo), cpu(photo),
			beside(plate, r.Model), beside(photo, r.Model), rate(r.Rate), r.Load, r.First, r.Resident, allocated(t, photo), large(t, photo))
	}
	for i, t := range tasks {
		for _, style := range styles {
			if n, all := differ(results[0].Whole[string(style)].Called, results[i].Whole[string(style)].Called); n > 0 {
				fmt.Fprintf(&b, "\n%s, %d threads, judges %d of %d boards of style %s otherwise than the first row.", named(t.Runtime), t.Threads, n, all, style)
			}
		}
	}
	return b.String()
}

// differ counts the boards that both judged, and those of them with another
// verdict.
func differ(a, b map[int]bool) (n, all int) {
	for board, called := range a {
		if other, ok := b[board]; ok {
			all++
			if other != called {
				n++
			}
		}
	}
	return n, all
}

func named(runtime string) string {
	if runtime == cv2 {
		return "Python, cv2.dnn"
	}
	return runtime
}

// quantile of values in any order: the least that as large a share is not above.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(int(math.Ceil(q*float64(len(sorted))))-1, 0)]
}

func times(l loop) string {
	if len(l.MS) == 0 {
		return "–"
	}
	return fmt.Sprintf("**%.1f** (%.1f)", quantile(l.MS, 0.5), quantile(l.MS, 0.95))
}

func cpu(l loop) string {
	if len(l.MS) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f", l.CPU/float64(len(l.MS)))
}

// beside is what the whole takes on top of the model, as a share of the model:
// in processor time, which other programs disturb least.
func beside(whole, model loop) string {
	if len(whole.MS) == 0 || len(model.MS) == 0 || model.CPU == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100*(whole.CPU/float64(len(whole.MS))/(model.CPU/float64(len(model.MS)))-1))
}

func rate(rates []float64) string {
	if len(rates) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f", quantile(rates, 0.5))
}

func allocated(t task, l loop) string {
	if t.Runtime == cv2 || len(l.MS) == 0 {
		return "–"
	}
	if n := l.Bytes / float64(len(l.MS)); n < 1e6 {
		return fmt.Sprintf("%.1f KB", n/1e3)
	}
	return fmt.Sprintf("%.0f MB", l.Bytes/float64(len(l.MS))/1e6)
}

func large(t task, l loop) string {
	if t.Runtime == cv2 || len(l.MS) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", l.Large/float64(len(l.MS)))
}
