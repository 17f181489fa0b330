package store

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"inspector"
	"inspector/workflow/asl"
)

// An ack is what the child prints once it was promised that this is durable.
type ack struct {
	ID       string
	Trigger  bool // only the trigger is there
	Evidence []inspector.Blob
	Events   int
	Failed   string // the child could not go on
}

// child is the program that is killed: it writes for ever and prints what was
// acknowledged.
func child(dir string) {
	s, err := Open(context.Background(), dir, "aoi_1")
	if err != nil {
		panic(err)
	}
	var out sync.Mutex
	say := func(a ack) {
		line, err := json.Marshal(a)
		if err != nil {
			panic(err)
		}
		out.Lock()
		defer out.Unlock()
		fmt.Printf("%s\n", line)
	}
	say(ack{}) // ready
	for range 8 {
		go func() {
			for n := 0; ; n++ {
				if err := board(s, n, say); err != nil {
					say(ack{Failed: err.Error()})
					return
				}
			}
		}()
	}
	select {}
}

// board takes one board through the store.
func board(s *Store, n int, say func(ack)) error {
	ctx := context.Background()
	id := s.NextID()
	if n%2 == 0 {
		var err error
		if id, _, err = s.Triggered(ctx, inspector.Trigger{Source: "http", Request: fmt.Sprint(rand.Uint64()), At: when}); err != nil {
			return err
		}
		say(ack{ID: id.String(), Trigger: true})
	}
	i, err := s.Accept(ctx, judged(id, []inspector.Verdict{inspector.Pass, inspector.Fail, inspector.Unsure}[n%3]), picture(id.String()+" pixels"), begin)
	if err != nil {
		return err
	}
	a := ack{ID: i.ID, Evidence: i.Evidence, Events: 1}
	say(a)
	for a.Events < 3 {
		if err := s.Append(ctx, event(i.ID, a.Events+1)); err != nil {
			return err
		}
		a.Events++
		say(a)
	}
	return nil
}

// Cut the process off at random moments: whatever it had acknowledged is
// there, whole, and every trigger is accounted for.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	all := map[string]ack{}
	for life := range 12 {
		before := len(all)
		acks := livedUntilKilled(t, dir, time.Duration(50+rand.IntN(200))*time.Millisecond, func() {})
		for _, a := range acks {
			if a.Failed != "" {
				t.Fatal(a.Failed)
			}
			if old, ok := all[a.ID]; !ok || old.Trigger || a.Events > old.Events {
				all[a.ID] = a
			}
		}
		s := open(t, dir)
		for _, a := range acks {
			verify(t, s, all[a.ID])
		}
		noneBesides(t, s)
		balanced(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("life %d: %d boards", life, len(all)-before)
	}
	s := open(t, dir)
	for _, a := range all {
		verify(t, s, a)
	}
	if len(all) < 12 {
		t.Errorf("only %d boards were acknowledged: nothing was proven", len(all))
	}
}

// livedUntilKilled gives what the child acknowledged in the time it had; cut
// is done just before it is killed.
func livedUntilKilled(t *testing.T, dir string, life time.Duration, cut func()) (acks []ack) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "STORE_TEST_CHILD="+dir)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for ready := false; lines.Scan(); ready = true {
		if !ready {
			defer time.AfterFunc(life, func() { cut(); _ = c.Process.Kill() }).Stop()
			continue
		}
		var a ack
		if err := json.Unmarshal(lines.Bytes(), &a); err == nil { // the last line may be cut
			acks = append(acks, a)
		}
	}
	if err := c.Wait(); err == nil || c.ProcessState.ExitCode() != -1 {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return acks
}

// verify fails unless what was acknowledged is there.
func verify(t *testing.T, s *Store, a ack) {
	t.Helper()
	if a.Trigger {
		if _, err := s.Inspection(t.Context(), a.ID); err != nil && !errors.Is(err, ErrInFlight) {
			t.Errorf("the trigger %s is lost: %v", a.ID, err)
		}
		return
	}
	r, err := s.Inspection(t.Context(), a.ID)
	if err != nil {
		t.Errorf("lost: %v", err)
		return
	}
	if !slices.Equal(r.Evidence, a.Evidence) {
		t.Errorf("%s: evidence %v; want %v", a.ID, r.Evidence, a.Evidence)
	}
	for _, b := range a.Evidence {
		intact(t, s, b)
	}
	x, events, err := s.Load(t.Context(), a.ID)
	if err != nil || len(events) < a.Events || x.Status != asl.StatusRunning {
		t.Errorf("%s: %d of %d events, %s, %v", a.ID, len(events), a.Events, x.Status, err)
	}
	open, err := s.Work(t.Context(), a.ID)
	if err != nil || len(open) != 1 || open[0].Command != int64(len(events)) {
		t.Errorf("%s: open work %v after %d events, %v", a.ID, open, len(events), err)
	}
}

// noneBesides fails if there is a file that no inspection knows.
func noneBesides(t *testing.T, s *Store) {
	t.Helper()
	known, err := s.evidenceSince(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files(t, s, "evidence") {
		if !known[name] {
			t.Errorf("%s belongs to nothing", name)
		}
	}
}
