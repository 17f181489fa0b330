// Package storetest measures beside the store what the bare disk takes, and
// reports times as benchmarks do.
package storetest

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"testing"
	"time"
)

// Synced are the times of n appends of 4 KiB to a new file in dir, each synced.
func Synced(b *testing.B, dir string, n int) (took []time.Duration) {
	b.Helper()
	f, err := os.CreateTemp(dir, "synced")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	block := bytes.Repeat([]byte("x"), 4096)
	for range n {
		start := time.Now()
		_, err := f.Write(block)
		if err := errors.Join(err, f.Sync()); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	return took
}

// Quantiles reports p50 and p99 in milliseconds, and sorts took. Prefix is
// empty, or ends in a hyphen.
func Quantiles(b *testing.B, prefix string, took []time.Duration) {
	b.Helper()
	if len(took) == 0 {
		b.Fatalf("%snothing was measured", prefix)
	}
	slices.Sort(took)
	for name, at := range map[string]int{"p50-ms": len(took) / 2, "p99-ms": len(took) * 99 / 100} {
		b.ReportMetric(took[at].Seconds()*1e3, prefix+name)
	}
}
