package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"syscall"
	"time"
)

func since(t time.Time) float64 { return float64(time.Since(t).Microseconds()) / 1000 }

// own is the processor time of this process and of those that it has waited for.
func own() (sum time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		_ = syscall.Getrusage(who, &u) // cannot fail for itself
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum
}

func bytesAllocated() float64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.TotalAlloc)
}

// largeAllocations counts those above the classes of sizes, 32 KiB.
func largeAllocations() float64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs-by-size:bytes"}}
	metrics.Read(s)
	h := s[0].Value.Float64Histogram()
	return float64(h.Counts[len(h.Counts)-1])
}

// resident is the memory of this process in MB.
func resident() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	var size, pages int
	if _, scanned := fmt.Sscan(string(text), &size, &pages); err != nil || scanned != nil {
		return 0
	}
	return float64(pages*os.Getpagesize()) / 1e6
}
