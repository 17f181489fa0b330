package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"inspector"
	"inspector/camera"
	"inspector/model"
	"inspector/store"
	"inspector/web"
	"inspector/workflow"
)

// suspicious makes the package fail every board.
func suspicious(files map[string][]byte) {
	files["model.yaml"] = regexp.MustCompile(`thresholds: {.*}`).ReplaceAll(files["model.yaml"], []byte("thresholds: {fail: 0.0002, pass: 0.0001}"))
}

// A shadow judges the same boards, decides nothing, and what it thinks
// otherwise of is kept with its picture, bounded, and listed.
func TestShadow(t *testing.T) {
	dir, folder := t.TempDir(), t.TempDir()
	addModel(t, folder, "1.0.0", nil)
	env := []string{"INSPECTOR_MODEL_FOLDER=" + folder, "INSPECTOR_SIMULATED_DEFECT_RATE=0", "INSPECTOR_MODEL_SHADOW_KEEP=3", "INSPECTOR_EVIDENCE_PASSES=true"}
	a := startAppliance(t, dir, env...)
	addModel(t, folder, "1.1.0", suspicious)
	var out bytes.Buffer
	cli := func(args ...string) int {
		out.Reset()
		args = append(args[:1:1], append([]string{"--address", a.page}, args[1:]...)...)
		return command(t.Context(), append([]string{"model"}, args...), func(k string) string { return map[string]string{"USER": "Ada"}[k] }, &out, &out)
	}
	if code := cli("shadow", "--reason", "a trial", "pcb@1.1.0"); code != 0 {
		t.Fatalf("shadow: %d %s", code, &out)
	}
	list := func() []web.Disagreement {
		return get[struct{ Disagreements []web.Disagreement }](a, "/api/v1/disagreements?limit=10").Disagreements
	}
	first := ""
	a.until("the shadow has thought otherwise of more boards than are kept", func() bool {
		all := list()
		if len(all) > 0 && first == "" {
			first = all[len(all)-1].ID
		}
		return len(all) == 3 && !strings.Contains(fmt.Sprint(all), first)
	})
	for n, d := range list() {
		if d.Production.Verdict != inspector.Pass || d.Shadow.Verdict != inspector.Fail || !strings.HasPrefix(d.Shadow.Model, "pcb/1.1.0@") || len(d.Shadow.Defects) == 0 || !strings.HasPrefix(d.Production.Model, "pcb/1.0.0@") {
			t.Errorf("disagreement %d: %+v", n, d)
		}
		if i := get[web.Record](a, "/api/v1/inspections/"+d.ID); i.Verdict != inspector.Pass || i.Model != d.Production.Model {
			t.Errorf("the inspection says %+v", i)
		}
		if code, b := a.do(http.MethodGet, "/api/v1/disagreements/"+d.ID+"/image", "", nil); code != http.StatusOK && n == 0 {
			t.Errorf("its picture: %d %s", code, b)
		} else if p, err := camera.Decode(b, maxStill); code == http.StatusOK && (err != nil || p.Width != simulatedSize) {
			t.Errorf("its picture: %d wide, %v", p.Width, err)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "aside", "*.jpg")); len(files) == 0 || len(files) > 4 {
		t.Errorf("%d pictures are kept", len(files))
	}
	if !strings.Contains(a.part("shadow").Detail, "thinks otherwise") {
		t.Errorf("on the page: %+v", a.part("shadow"))
	}
	if code := cli("disagreements"); code != 0 || !strings.Contains(out.String(), "PRODUCTION") || strings.Count(out.String(), "simulated") != 3 {
		t.Errorf("disagreements: %d\n%s", code, &out)
	}
	a.kill()
	a = startAppliance(t, dir, env...)
	a.until("the shadow is back after a power cut", func() bool { return a.part("shadow").Name != "" })
	if code := cli("shadow", "--off", "pcb"); code != 0 || a.part("shadow").Name != "" {
		t.Errorf("off: %d %s, %+v", code, &out, a.part("shadow"))
	}
	n := a.status().Counts
	if n.Fail+n.Unsure > 0 {
		t.Errorf("the shadow has decided: %+v", n)
	}
}

// While the shadow is at work the line does not wait for it: boards are let go,
// and counted.
func TestShadowIsDroppedFirst(t *testing.T) {
	j, closed, _ := changing(t, "1.0.0", "2.0.0")
	defer j.Close()
	if _, err := j.change(t.Context(), to(model.Shadow, "2.0.0")); err != nil {
		t.Fatal(err)
	}
	l, stop := benchLine(t, t.TempDir(), j, func(s *store.Store) workflow.Journal { return s })
	defer stop()
	s := newShadow(j, l.store, 10, 0, slog.New(slog.DiscardHandler)) // at rest: nobody takes what it is offered
	i := inspector.Inspection{ID: "aoi_1-5eed0001-1", Recipe: simulatedName, Verdict: inspector.Fail}
	s.offer(i, grey()) // no model gave it
	i.Timings.Infer = 1
	picture := grey()
	picture.Data[9] = 7
	for range 3 {
		s.offer(i, picture)
	}
	clear(picture.Data) // the line's own again
	if n := s.dropped.Load(); n != 2 || len(s.boards) != 1 {
		t.Errorf("%d dropped, %d waiting; want 2 and 1", n, len(s.boards))
	}
	if _, err := j.change(t.Context(), to(model.Shadow, "")); err != nil || *closed["2.0.0"] != 0 {
		t.Errorf("closed under a board: %v", err)
	}
	b := <-s.boards
	if b.pixels.Data[9] != 7 {
		t.Error("the board is not a copy: its owner has written over it")
	}
	if err := s.look(t.Context(), b); err != nil || *closed["2.0.0"] != 1 {
		t.Errorf("%v; closed %d times after its last board", err, *closed["2.0.0"])
	}
	kept, err := s.disagreements(10)
	if err != nil || len(kept) != 1 || kept[0].Shadow.Verdict != inspector.Pass || s.disagreed.Load() != 1 {
		t.Errorf("kept %+v, %v", kept, err)
	}
	about, err := l.store.Aside(i.ID, "json")
	if err != nil || !json.Valid(about) {
		t.Errorf("%s, %v", about, err)
	}
	s.busy.Store(false)
	s.offer(i, grey())
	if len(s.boards) != 0 {
		t.Error("a board without a shadow was taken")
	}
	if _, err := os.Stat("aside"); !errors.Is(err, os.ErrNotExist) {
		t.Error("something was kept in the working directory")
	}
}
