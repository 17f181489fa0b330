package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"inspector"
	"inspector/notify"
	"inspector/web"
)

// The number of a connection begins at 0, goes round, and is not lost or
// repeated by a restart.
func TestBirthNumber(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sparkplug", "bdseq")
	for want := range 260 {
		if n, err := birthNumber(file)(); err != nil || n != uint8(want) {
			t.Fatalf("connection %d has number %d, %v", want, n, err)
		}
	}
	for _, damaged := range []string{"", "256", "-1", "x"} {
		if err := os.WriteFile(file, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := birthNumber(file)(); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%q: %v; want the file named", damaged, err)
		}
	}
}

// A host hears of the appliance: its births, each board, and that the camera
// went.
func TestEdge(t *testing.T) {
	c := defaults()
	c.Data, c.MQTT.Listen, c.MQTT.Sparkplug.Enabled = t.TempDir(), "127.0.0.1:0", true
	log := slog.New(slog.DiscardHandler)
	b, _, err := openMessaging(c, notify.Topics{}, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- b.Run(ctx) }()
	watcher := toBroker(c, b)
	watcher.ClientID = "scada"
	link, err := notify.Connect(ctx, watcher, notify.Will{Topic: "x", Payload: []byte("gone")}, "spBv1.0/#")
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	e := newEdge(c, toBroker(c, b), func(context.Context) web.Status {
		s := web.Status{Model: "pcb/1", Recipe: "simulated", Counts: web.Counts{Pass: 3, Fail: 1}, Parts: []web.Part{{Name: "camera", State: web.OK, Detail: "running"}}}
		select {
		case <-gone:
			s.Parts[0].State = web.Down
		default:
		}
		return s
	}, log)
	inner, leave := context.WithCancel(ctx)
	go func() { ended <- e.Run(inner) }()
	hear := func(kind, words string) {
		t.Helper()
		deadline := time.After(20 * time.Second)
		for {
			select {
			case m := <-link.Messages:
				if strings.HasPrefix(m.Topic, "spBv1.0/site/"+kind+"/line1_inspector1") && strings.Contains(string(m.Payload), words) {
					return
				}
			case <-deadline:
				t.Fatalf("no %s with %q", kind, words)
			}
		}
	}
	hear("NBIRTH", "Node Control/Rebirth")
	hear("DBIRTH", "Board/Verdict")
	e.judged(inspector.Inspection{ID: "board-7", At: time.Now(), Verdict: inspector.Fail}, inspector.Pixels{})
	hear("DDATA", "board-7")
	if p, ok := e.part(); !ok || p.State != web.OK {
		t.Errorf("%+v", p)
	}
	close(gone)
	hear("DDEATH", "")
	leave()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	hear("NDEATH", "bdSeq")
	link.Close()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	var none *edge
	none.judged(inspector.Inspection{}, inspector.Pixels{})
	if _, ok := none.part(); ok || none.Run(t.Context()) != nil {
		t.Error("what is not wanted is there")
	}
}
