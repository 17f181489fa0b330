package model

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestParseRef(t *testing.T) {
	for text, want := range map[string]string{
		"pcb": "pcb@production", "pcb@1.2.3": "pcb@1.2.3", "pcb/1.2.3": "pcb@1.2.3", "pcb@shadow": "pcb@shadow", "pcb@production": "pcb@production",
		"": "", "pcb@": "", "pcb@1.2": "", "pcb@latest": "", "pcb/production": "", "../x": "", "PCB": "", "a@b@c": "", "pcb/../x": "",
	} {
		r, err := ParseRef(text)
		if (err == nil) != (want != "") || err == nil && r.String() != want {
			t.Errorf("%q is %v, %v; want %q", text, r, err, want)
		}
		if err == nil && r.Pinned() != strings.Contains(want, "1.2.3") {
			t.Errorf("%q pinned: %v", text, r.Pinned())
		}
	}
}

// versions is a folder of models; nothing of them is read but their names.
func versions(names ...string) fstest.MapFS {
	fsys := fstest.MapFS{"readme.txt": {}, "empty/x": {}}
	for _, n := range names {
		fsys[n+"/model.yaml"] = &fstest.MapFile{}
	}
	return fsys
}

func change(alias, from, to string, back bool) Change {
	return Change{By: "Ada", Model: "pcb", Alias: alias, From: from, To: to, Back: back, Reason: "a test"}
}

func TestRegistry(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data", "models.json")
	fsys := versions("pcb/1.0.0", "pcb/1.10.0", "pcb/1.9.0", "pcb/junk", "other/0.1.0")
	r, err := OpenRegistry(fsys, file)
	if err != nil {
		t.Fatal(err)
	}
	expect := func(production, shadow string, former ...string) {
		t.Helper()
		again, err := OpenRegistry(fsys, file)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []*Registry{r, again} { // also after a restart
			p, err := r.Resolve(Ref{"pcb", Production})
			s, shadowErr := r.Resolve(Ref{"pcb", Shadow})
			if err != nil || shadowErr != nil || p != production || s != shadow || !slices.Equal(r.Former("pcb"), former) {
				t.Errorf("production %s (%v), shadow %s (%v), former %v; want %s, %s, %v", p, err, s, shadowErr, r.Former("pcb"), production, shadow, former)
			}
		}
	}
	apply := func(c Change) {
		t.Helper()
		if err := r.Apply(c); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := r.Versions("pcb"); err != nil || !slices.Equal(v, []string{"1.0.0", "1.9.0", "1.10.0"}) {
		t.Errorf("versions %v, %v", v, err)
	}
	if names, err := r.Names(); err != nil || !slices.Equal(names, []string{"other", "pcb"}) {
		t.Errorf("names %v, %v", names, err)
	}
	expect("1.10.0", "")
	apply(change(Production, "", "1.0.0", false)) // the first start
	expect("1.0.0", "")
	apply(change(Production, "1.0.0", "1.9.0", false))
	apply(change(Shadow, "", "1.10.0", false))
	expect("1.9.0", "1.10.0", "1.0.0")
	apply(change(Production, "1.9.0", "1.10.0", false))
	apply(change(Shadow, "1.10.0", "", false))
	expect("1.10.0", "", "1.9.0", "1.0.0")
	apply(change(Production, "1.10.0", "1.9.0", true))
	expect("1.9.0", "", "1.0.0")
	apply(change(Production, "1.9.0", "1.0.0", true))
	expect("1.0.0", "")
	if c := r.Changes(); len(c) != 7 || c[1].By != "Ada" || c[1].From != "1.0.0" || c[1].Reason != "a test" || !c[6].Back {
		t.Errorf("audit %+v", c)
	}
	for _, bad := range []Change{change("latest", "", "1.0.0", false), change(Production, "", "", false), change(Production, "", "../x", false), {Model: "A B", Alias: Production, To: "1.0.0"}} {
		if err := r.Apply(bad); err == nil {
			t.Errorf("%+v was applied", bad)
		}
	}
	if left, _ := filepath.Glob(filepath.Dir(file) + "/*"); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRegistryRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"torn": `{"changes":[{`, "nonsense": `{"changes":[{"model":"pcb","alias":"production","to":"../../etc"}]}`, "empty": ""} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenRegistry(versions(), file); err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "promote again") {
			t.Errorf("%s: %v", name, err)
		}
	}
	r, err := OpenRegistry(versions("pcb/1.0.0"), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Apply(change(Production, "", "1.0.0", false)); err == nil {
		t.Error("a change without a place to keep it")
	}
	if _, err := r.Versions("nobody"); err == nil {
		t.Error("versions of nobody")
	}
}

// What a power cut leaves at each step of a change: the registry is as it was,
// or as it shall be, and the next change tidies up.
func TestPowerCutAtEachStep(t *testing.T) {
	file := filepath.Join(t.TempDir(), "models.json")
	r, err := OpenRegistry(versions("pcb/1.0.0", "pcb/2.0.0"), file)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Apply(change(Production, "", "1.0.0", false)); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Apply(change(Production, "1.0.0", "2.0.0", false)); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for step, c := range []struct {
		part, have []byte
		want       string
	}{
		{nil, before, "1.0.0"},                  // nothing written yet
		{after[:len(after)/2], before, "1.0.0"}, // half of it
		{after, before, "1.0.0"},                // all of it, not renamed
		{nil, after, "2.0.0"},                   // renamed
		{after[:len(after)/2], after, "2.0.0"},  // a cut before this one
	} {
		if err := os.WriteFile(file, c.have, 0o600); err != nil {
			t.Fatal(err)
		}
		if c.part != nil {
			if err := os.WriteFile(file+".part-X", c.part, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r, err := OpenRegistry(versions("pcb/1.0.0", "pcb/2.0.0"), file)
		if err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		if v, err := r.Resolve(Ref{"pcb", Production}); err != nil || v != c.want {
			t.Errorf("step %d: %s, %v; want %s", step, v, err, c.want)
		}
		if err := r.Apply(change(Shadow, "", "1.0.0", false)); err != nil {
			t.Errorf("step %d: %v", step, err)
		}
		if left, _ := filepath.Glob(file + "*"); len(left) != 1 {
			t.Errorf("step %d leaves %v", step, left)
		}
	}
}

// A process that promotes all the time is killed again and again: what it has
// said to be done is done, and at most one more.
func TestKilledWhilePromoting(t *testing.T) {
	if file := os.Getenv("PROMOTE_FOR_EVER"); file != "" {
		promoteForEver(file)
	}
	file := filepath.Join(t.TempDir(), "models.json")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	done := 0
	for round := range 12 {
		cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestKilledWhilePromoting$")
		cmd.Env = append(os.Environ(), "PROMOTE_FOR_EVER="+file)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n < 1+3*round && lines.Scan(); n++ {
			done++
		}
		_ = cmd.Process.Kill()
		for lines.Scan() {
			done++ // said before the kill
		}
		_ = cmd.Wait()
		r, err := OpenRegistry(versions(), file)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(r.Changes()); n < done || n > done+1 {
			t.Fatalf("round %d: %d changes in the registry; %d were acknowledged", round, n, done)
		}
		done = len(r.Changes())
	}
}

func promoteForEver(file string) {
	r, err := OpenRegistry(versions(), file)
	for n := 1; err == nil; n++ {
		if err = r.Apply(change(Production, "1.0.0", fmt.Sprintf("1.0.%d", n), false)); err == nil {
			fmt.Println(n)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func FuzzRegistry(f *testing.F) {
	f.Add([]byte(`{"changes":[{"model":"pcb","alias":"production","from":"","to":"1.0.0","by":"Ada","reason":"x"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		changes, err := parseChanges(data)
		if err != nil {
			return
		}
		r := &Registry{models: versions("pcb/1.0.0"), changes: changes}
		for _, c := range changes {
			for _, v := range append(r.Former(c.Model), r.Alias(c.Model, c.Alias)) {
				if v != "" && !validVersion.MatchString(v) {
					t.Errorf("%q stands for %q", data, v)
				}
			}
		}
	})
}
