package web

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// delayed are targets in all states.
func delayed() []Target {
	day, soon := 86400.0, 700.0
	return []Target{
		{Name: "mqtt alerts", Lanes: []string{"inspector:alert"}, Depth: 2, Oldest: .4, Rate: 3.24, Drain: new(float64), Delivered: 4711, State: TargetOK},
		{Name: "mqtt results", Lanes: []string{"inspector:publish"}, Rate: 12.6, Drain: new(float64), Delivered: 9000, State: TargetOK},
		{Name: "s3 evidence", Lanes: []string{"put", "results"}, Depth: 48_213, Oldest: 3 * day, Rate: 212, Drain: &soon, Delivered: 12, State: TargetDraining},
		{Name: "sqs results", Lanes: []string{"send"}, Depth: 3_100, Oldest: 3 * 3600, State: TargetFailing,
			Error: `SQS SendMessage to https://sqs.eu-central-1.amazonaws.com/123456789012/results: dial tcp: lookup sqs.eu-central-1.amazonaws.com: no such host`, Remedy: "everything waits on the disk"},
		{Name: "rule night-shift/slack", Lanes: []string{"deliver"}, Parked: 17, Oldest: day, State: TargetParked, Error: "Slack answers 404: channel_is_archived", Remedy: "mend it"},
	}
}

// The page shows each target's state, what waits and what went wrong, and lets
// what is parked be listed and tried again.
func TestPageShowsTargets(t *testing.T) {
	s := start(t, nil)
	ctx := browser(t)
	judgeOne(t, s, pcb(t, true, 1), "PCB-1")
	s.set(func(st *Status) {
		st.Targets = delayed()
		st.Lanes = []Lane{{Name: "token", Depth: 3, Oldest: 7200}, {Name: "put", Depth: 48_213}, {Name: "inspector:quarantine", Depth: 1, Oldest: 2, Parked: 1}}
		st.Disk = Disk{Free: 700e6, Total: 64e9, Level: "stop-passes"}
		st.Parts = append(st.Parts, Part{Name: "disk", State: Degraded, Detail: "700.0 MB free: too little to keep pictures of boards that passed", Remedy: "free space on the disk that holds data"})
	})
	s.mu.Lock()
	for _, x := range []string{"aoi_1-5eed0001-1", "aoi_1-5eed0001-7"} {
		s.waits = append(s.waits, ParkedTask{Execution: x, Command: 4, State: "Deliver", Target: "rule night-shift/slack", Resource: "deliver", Since: s.records[0].At, Reason: "Slack answers 404: channel_is_archived"})
	}
	s.waits = append(s.waits, ParkedTask{Execution: "aoi_1-5eed0001-9", Command: 1, State: "Quarantine", Target: "inspector:quarantine", Resource: "inspector:quarantine", Since: s.records[0].At, Reason: "no such board"})
	s.mu.Unlock()
	do(t, ctx, chromedp.Navigate(s.url))
	until(t, ctx, `document.querySelectorAll('#targets tr:not(.why)').length === 5 && document.querySelectorAll('#targets .why').length === 2`)
	for row, want := range map[string]string{"1": `sqs results failing 3,100 3 h – ? 0`, "3": `rule night-shift/slack parked 0 24 h – – ⚠ 17`, "5": `s3 evidence draining 48,213 3 d 212/s 12 min 0`} {
		until(t, ctx, `[...document.querySelectorAll('#targets tr')][`+row+` - 1].innerText.replace(/\s+/g, ' ').trim() === '`+want+`'`)
	}
	until(t, ctx, `document.querySelectorAll('#lanes tr').length === 2`) // those of targets are told once
	shoot(t, ctx, "targets")
	view(t, ctx, 390, 844, "dark")
	until(t, ctx, `document.documentElement.scrollWidth <= 390`)
	until(t, ctx, `(e => e && (e.scrollIntoView(), true))(document.querySelector('#lanes'))`) // in one step: the rows are drawn anew at any time
	shoot(t, ctx, "targets-phone")
	view(t, ctx, 1280, 800, "light")
	until(t, ctx, `(b => b && (b.click(), true))(document.querySelector('#targets button'))`)
	until(t, ctx, `document.getElementById('runs').open && document.querySelectorAll('#parked-rows tr').length === 2 && document.getElementById('runs-table').hidden`)
	shoot(t, ctx, "parked")
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`(document.getElementById('parked-target').value = '', document.getElementById('parked-target').dispatchEvent(new Event('change')))`)); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, `document.querySelectorAll('#parked-rows tr').length === 3`)
	until(t, ctx, `(b => b && (b.click(), true))(document.getElementById('parked-redrive'))`)
	until(t, ctx, `document.getElementById('parked-note').textContent !== ''`)
}
