package asl

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const benched = `"MaxConcurrency":100,"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Parameters":{"Bucket":"b","Key":"k"},"ReaderConfig":{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"}},
  "ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"b","Prefix":"p"}},`

// BenchmarkDistributedMap prints what one item costs in processor time,
// whatever else the machine does, when there are few and when there
// are many: it must be the same. live is what the execution holds in the
// middle of many, without the text of the items.
func BenchmarkDistributedMap(b *testing.B) {
	const most = 100_000
	m := parse(b, fmt.Sprintf(toDistribute, benched, task))
	perItem := func(n int) float64 {
		body := csvOf(n)
		start := processorTime(b)
		for range most / n {
			distribute(b, m, body, nil)
		}
		return float64((processorTime(b) - start).Nanoseconds()) / most
	}
	for range b.N {
		few, many := perItem(1_000), perItem(most)
		b.ReportMetric(few, "ns/item-of-1000")
		b.ReportMetric(many, "ns/item-of-100000")
		b.ReportMetric(many/few, "ratio")
		for _, n := range []int{1_000, most} {
			b.ReportMetric(float64(live(b, m, n)), fmt.Sprintf("live-B-of-%d", n))
		}
	}
}

// live is the heap in the middle of a run, without the text.
func live(t testing.TB, m *Machine, n int) (held int64) {
	body := csvOf(n)
	before := heap()
	distribute(t, m, body, func(answered int) {
		if answered == n/2 {
			held = heap() - before - int64(len(body)) // the text that is read row by row
		}
	})
	runtime.KeepAlive(body)
	return held
}

func heap() int64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

func processorTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func csvOf(n int) json.RawMessage {
	var text strings.Builder
	text.WriteString("id,name\n")
	for i := range n {
		text.WriteString(strconv.Itoa(i) + ",board\n")
	}
	body, _ := json.Marshal(map[string]string{"Body": text.String()})
	return body
}

// distribute answers every command in the order of asking.
func distribute(t testing.TB, m *Machine, body json.RawMessage, each func(answered int)) {
	var x Execution
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	_, queue, err := m.Advance(&x, Event{Kind: Started, At: at, Name: "x", Seed: "s", Input: json.RawMessage(`{}`)})
	for n := 0; len(queue) > 0 && err == nil; n++ {
		c := queue[0]
		queue[0] = Command{}
		queue = queue[1:]
		e := Event{Kind: Succeeded, At: at, Command: c.ID, Output: json.RawMessage(`{"ok":true}`)}
		switch {
		case c.Kind == SetTimer:
			e = Event{Kind: Fired, At: at, Command: c.ID}
		case c.Kind == Cancel:
			continue
		case strings.HasSuffix(c.Resource, "getObject"):
			e.Output = body
		}
		var more []Command
		_, more, err = m.Advance(&x, e)
		queue = append(queue, more...)
		if each != nil {
			each(n)
		}
	}
	if err != nil || x.Status() != StatusSucceeded {
		t.Fatalf("%v: %s %s %s", err, x.Status(), x.Error(), x.Cause())
	}
}

// An execution holds no more in the middle of many items than of few.
func TestDistributedMapHoldsLittle(t *testing.T) {
	m := parse(t, fmt.Sprintf(toDistribute, benched, task))
	if few, many := live(t, m, 1_000), live(t, m, 20_000); many > few+2*maxFile+4<<20 {
		t.Errorf("%d bytes for 20,000 items, %d for 1,000", many, few)
	}
}
