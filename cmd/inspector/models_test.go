package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"inspector"
	"inspector/classify"
	"inspector/model"
	"inspector/models"
	"inspector/web"
)

// shippedModel is the newest package inside the program.
func shippedModel(t testing.TB) *model.Package {
	t.Helper()
	p, err := model.Find(models.FS, defaults().Model.Name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// addModel puts a version of the shipped model into the folder. edit may
// change its files; the manifest's hashes then follow, but for those of files
// in tampered.
func addModel(t *testing.T, folder, version string, edit func(files map[string][]byte), tampered ...string) {
	t.Helper()
	files := map[string][]byte{}
	p := shippedModel(t)
	shipped := p.Name + "/" + p.Version
	err := fs.WalkDir(models.FS, shipped, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[strings.TrimPrefix(path, shipped+"/")], err = fs.ReadFile(models.FS, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	manifest := strings.Replace(string(files["model.yaml"]), "version: "+p.Version, "version: "+version, 1)
	before := map[string]string{}
	for name, data := range files {
		sum := sha256.Sum256(data)
		before[name] = hex.EncodeToString(sum[:])
	}
	files["model.yaml"] = []byte(manifest)
	if edit != nil {
		edit(files)
	}
	for name, data := range files {
		if sum := sha256.Sum256(data); before[name] != "" && name != "model.yaml" && !slices.Contains(tampered, name) {
			files["model.yaml"] = bytes.ReplaceAll(files["model.yaml"], []byte(before[name]), []byte(hex.EncodeToString(sum[:])))
		}
	}
	for name, data := range files {
		file := filepath.Join(folder, "pcb", version, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

// wrongVector makes the package expect what no runtime computes.
func wrongVector(files map[string][]byte) {
	const key = `"output_mean": [`
	before, after, _ := bytes.Cut(files["vectors/expected.json"], []byte(key))
	files["vectors/expected.json"] = slices.Concat(before, []byte(key+"0.5, "), after[bytes.IndexByte(after, ',')+1:])
}

func (a *appliance) changeModel(action string, body map[string]string) (int, string) {
	a.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		a.t.Fatal(err)
	}
	code, answer := a.do(http.MethodPost, "/api/v1/models/pcb/"+action, "application/json", bytes.NewReader(text))
	return code, string(answer)
}

func (a *appliance) part(name string) web.Part {
	for _, p := range a.status().Parts {
		if p.Name == name {
			return p
		}
	}
	return web.Part{}
}

// all gives every inspection, oldest first.
func (a *appliance) all() (out []web.Record) {
	before := ""
	for {
		page := get[struct {
			Inspections []web.Record
			Next        string
		}](a, "/api/v1/inspections?limit=500"+before)
		out = append(out, page.Inspections...)
		if page.Next == "" {
			slices.Reverse(out)
			return out
		}
		before = "&before=" + page.Next
	}
}

// judged counts the boards that a version judged, by its ID's beginning.
func judged(all []web.Record, version string) (n int) {
	for _, r := range all {
		if strings.HasPrefix(r.Model, "pcb/"+version+"@") {
			n++
		}
	}
	return n
}

// A version is promoted and rolled back while boards pass as fast as they can
// and others are sent: no frame is lost, each inspection has one of the two
// judges, and in the order of the frames the judge changes exactly when told.
func TestPromoteUnderLoad(t *testing.T) {
	dir, folder := t.TempDir(), t.TempDir()
	addModel(t, folder, "1.0.0", nil)
	a := startAppliance(t, dir, "INSPECTOR_MODEL_FOLDER="+folder, "INSPECTOR_CAMERA_PERIOD=10ms", "INSPECTOR_MODEL_NAME=pcb")
	addModel(t, folder, "1.1.0", nil) // does not judge by being there
	a.until("the line is at work", func() bool { return a.status().Counts.Pass > 5 })

	stop, sent := make(chan struct{}), 0
	var sending sync.WaitGroup
	sending.Go(func() { // triggers beside the free run
		for ; ; sent++ {
			select {
			case <-stop:
				return
			default:
			}
			code, b := a.do(http.MethodPost, "/api/v1/triggers", "application/json", strings.NewReader(fmt.Sprintf(`{"request":"r%d"}`, sent)))
			var i inspector.Inspection
			if err := json.Unmarshal(b, &i); code != http.StatusOK || err != nil || !strings.HasPrefix(i.Model, "pcb/1.") || i.Timings.Infer == 0 {
				t.Errorf("trigger %d: %d, %v, %s", sent, code, err, b)
			}
		}
	})
	waitFor := func(version string) {
		a.until("twenty boards are judged by "+version, func() bool {
			newest := a.inspections("")
			return judged(newest[:min(20, len(newest))], version) == 20
		})
	}
	code, answer := a.changeModel("promote", map[string]string{"version": "1.1.0", "by": "Ada", "reason": "fewer false calls"})
	if code != http.StatusOK || !strings.Contains(answer, `"from":"1.0.0"`) || !strings.Contains(answer, `"to":"1.1.0"`) {
		t.Fatalf("promote: %d %s", code, answer)
	}
	waitFor("1.1.0")
	if code, answer := a.changeModel("rollback", map[string]string{"by": "Ben", "reason": "an escape"}); code != http.StatusOK || !strings.Contains(answer, `"to":"1.0.0"`) {
		t.Fatalf("rollback: %d %s", code, answer)
	}
	waitFor("1.0.0")
	close(stop)
	sending.Wait()
	all := a.all()
	slices.SortFunc(all, func(x, y web.Record) int { return cmp.Compare(x.Seq, y.Seq) })
	all = all[:len(all)-3] // of the newest, one may be with a judge while the next is done
	var path []string
	for n, r := range all {
		version := strings.TrimPrefix(r.Model[:strings.IndexByte(r.Model, '@')], "pcb/")
		if len(path) == 0 || path[len(path)-1] != version {
			path = append(path, version)
		}
		if n > 0 && r.Seq != all[n-1].Seq+1+r.Missed {
			t.Errorf("frame %d follows %d, and %d are said to be missed", r.Seq, all[n-1].Seq, r.Missed)
		}
		if r.Timings.Infer == 0 || r.Verdict == inspector.Unsure && strings.Contains(r.Reason, "not judged") {
			t.Errorf("frame %d was not judged: %s", r.Seq, r.Reason)
		}
	}
	if !slices.Equal(path, []string{"1.0.0", "1.1.0", "1.0.0"}) {
		t.Errorf("the judges in the order of the frames: %v", path)
	}
	t.Logf("%d boards, %d of them triggered, %d by 1.1.0", len(all), sent, judged(all, "1.1.0"))
	got := get[struct{ Changes []web.ModelChange }](a, "/api/v1/models").Changes
	if len(got) != 3 || got[0].By != "Ben" || !got[0].Rollback || got[1].By != "Ada" || got[1].Reason != "fewer false calls" || got[1].At.IsZero() || got[2].By != "inspector" {
		t.Errorf("audit %+v", got)
	}
}

// Whatever is wrong with a candidate, it is refused with its reason on the page
// and in the registry, the present one judges on, and after a power cut, too.
func TestRefusedCandidates(t *testing.T) {
	dir, folder := t.TempDir(), t.TempDir()
	addModel(t, folder, "1.0.0", nil)
	a := startAppliance(t, dir, "INSPECTOR_MODEL_FOLDER="+folder)
	for version, c := range map[string]struct {
		edit     func(map[string][]byte)
		tampered string
		want     string
	}{
		"1.1.0": {wrongVector, "", "output channel 0"},
		"1.2.0": {wrongVector, "vectors/expected.json", "changed or damaged"},
		"1.3.0": {func(f map[string][]byte) { f["model.onnx"][9000] ^= 1 }, "model.onnx", "changed or damaged"},
		"1.4.0": {func(f map[string][]byte) { f["model.yaml"] = append(f["model.yaml"], "surprise: 1\n"...) }, "", "surprise"},
		"1.5.0": {func(f map[string][]byte) {
			f["model.yaml"] = append(f["model.yaml"], "goldens: [{still: vectors/golden.png, golden: vectors/golden.png, verdict: fail}]\n"...)
		}, "", "golden still"},
	} {
		addModel(t, folder, version, c.edit, c.tampered)
		code, answer := a.changeModel("promote", map[string]string{"version": version, "by": "Ada"})
		if code != http.StatusUnprocessableEntity || !strings.Contains(answer, c.want) || !strings.Contains(answer, "remedy") {
			t.Errorf("%s: %d %s; want it refused for %q", version, code, answer, c.want)
		}
		if p := a.part("model"); p.State != web.Degraded || !strings.Contains(p.Detail, c.want) || !strings.Contains(p.Detail, "pcb/1.0.0@") || p.Remedy == "" {
			t.Errorf("%s: on the page %+v", version, p)
		}
	}
	for body, want := range map[*map[string]string]int{
		{"version": "9.0.0", "by": "Ada"}: http.StatusConflict,
		{"version": "1.0.0", "by": "Ada"}: http.StatusConflict,
		{"version": "1.1.0"}:              http.StatusBadRequest,
	} {
		if code, answer := a.changeModel("promote", *body); code != want {
			t.Errorf("%v: %d %s", *body, code, answer)
		}
	}
	if code, answer := a.changeModel("rollback", map[string]string{"by": "Ada"}); code != http.StatusConflict {
		t.Errorf("rollback to nothing: %d %s", code, answer)
	}
	if code, b := a.do(http.MethodGet, "/readyz", "", nil); code != http.StatusOK {
		t.Errorf("readyz %d %s", code, b)
	}
	n := a.status().Counts.Pass
	a.until("it judges on", func() bool { return a.status().Counts.Pass > n })
	a.kill()
	a = startAppliance(t, dir, "INSPECTOR_MODEL_FOLDER="+folder)
	a.until("it judges after the power cut", func() bool { return a.status().Counts.Pass > 0 })
	if s := a.status(); !strings.HasPrefix(s.Model, "pcb/1.0.0@") || a.part("model").State != web.OK {
		t.Errorf("after the power cut %s judges, %+v", s.Model, a.part("model"))
	}
}

// A version in production that is damaged on the disk does not judge after a
// restart: the one before it does, and the page and the doctor say why.
func TestDamagedInProduction(t *testing.T) {
	dir, folder := t.TempDir(), t.TempDir()
	addModel(t, folder, "1.0.0", nil)
	addModel(t, folder, "1.1.0", nil)
	env := []string{"INSPECTOR_MODEL_FOLDER=" + folder}
	cli := func(args ...string) (int, string) {
		var out bytes.Buffer
		code := command(t.Context(), append([]string{"model"}, args...), func(key string) string {
			return map[string]string{"INSPECTOR_DATA": dir, "INSPECTOR_MODEL_FOLDER": folder, "INSPECTOR_WEB_LISTEN": "127.0.0.1:1", "USER": "Ada"}[key]
		}, &out, &out)
		return code, out.String()
	}
	for _, version := range []string{"1.0.0", "1.1.0"} { // the appliance is stopped
		if code, out := cli("promote", "--reason", "a test", "pcb@"+version); code != 0 && version == "1.1.0" {
			t.Fatalf("promote %s: %d %s", version, code, out)
		}
	}
	// 1.1.0 was the newest, so that it was production before anybody said so.
	if code, out := cli("list"); code != 0 || !strings.Contains(out, "1.1.0    production") || !strings.Contains(out, "Ada") {
		t.Fatalf("list: %d\n%s", code, out)
	}
	addModel(t, folder, "1.1.0", wrongVector, "vectors/expected.json")
	a := startAppliance(t, dir, env...)
	if s, p := a.status(), a.part("model"); !strings.HasPrefix(s.Model, "pcb/1.0.0@") || p.State != web.Degraded || !strings.Contains(p.Detail, "expected.json") {
		t.Errorf("%s judges, %+v", s.Model, p)
	}
	var out bytes.Buffer
	doctor := program(t, append([]string{"INSPECTOR_DATA=" + dir, "INSPECTOR_MQTT_LISTEN=127.0.0.1:0"}, env...), "doctor")
	doctor.Stdout = &out
	if err := doctor.Run(); err == nil || !strings.Contains(out.String(), "expected.json") {
		t.Errorf("doctor: %v\n%s", err, &out)
	}
	if code, out := cli("rollback", "pcb"); code == 0 || !strings.Contains(out, "address") {
		t.Errorf("a running appliance's directory was changed behind its back: %d %s", code, out)
	}
	if code, out := cli("rollback", "--address", a.page, "pcb"); code != 0 || !strings.Contains(out, "1.0.0, before 1.1.0") {
		t.Errorf("rollback: %d %s", code, out)
	}
	if p := a.part("model"); p.State != web.OK {
		t.Errorf("after the rollback %+v", p)
	}
}

func TestModelCommandRefuses(t *testing.T) {
	for _, args := range [][]string{{}, {"delete"}, {"promote"}, {"promote", "pcb"}, {"promote", "PCB@1.0.0"}, {"rollback", "pcb@1.0.0"}, {"list", "pcb"}, {"shadow", "--off", "pcb@1.0.0"}, {"promote", "pcb@1.0.0", "pcb@1.1.0"}} {
		var out bytes.Buffer
		if code := command(t.Context(), append([]string{"model"}, args...), func(k string) string { return map[string]string{"USER": "Ada"}[k] }, io.Discard, &out); code != 2 || out.Len() == 0 {
			t.Errorf("%v: exit code %d, %s", args, code, &out)
		}
	}
	o, err := parseOrder("promote", []string{"pcb@1.0.0", "--reason", "fewer false calls", "--by", "Ada"}, noEnvironment, io.Discard)
	if err != nil || o.change.Reason != "fewer false calls" || o.change.By != "Ada" || o.change.To != "1.0.0" {
		t.Errorf("flags behind the name: %+v, %v", o.change, err)
	}
	var out bytes.Buffer
	if code := command(t.Context(), []string{"model", "promote", "pcb@1.0.0"}, noEnvironment, io.Discard, &out); code != 2 || !strings.Contains(out.String(), "--by") {
		t.Errorf("nobody's order: %d, %s", code, &out)
	}
}

// counted is a session that knows whether it is closed.
type counted struct {
	stub
	closed *int
}

func (c counted) Close() error { *c.closed++; return nil }

// changing are judges whose versions are stubs, how often each version was
// closed, and the registry's file.
func changing(t *testing.T, versions ...string) (*judges, map[string]*int, string) {
	t.Helper()
	folder := t.TempDir()
	for _, v := range versions {
		if err := os.MkdirAll(filepath.Join(folder, "stub", v), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	j := stubJudges(t, stub{})
	base := j.places[simulatedName]
	closed := map[string]*int{}
	j.refs, j.refused, j.beside = map[string]model.Ref{simulatedName: {Name: "stub", At: model.Production}}, map[model.Ref]error{}, map[string]place{}
	var err error
	file := filepath.Join(t.TempDir(), "models.json")
	if j.registry, err = model.OpenRegistry(os.DirFS(folder), file); err != nil {
		t.Fatal(err)
	}
	j.open = func(_ context.Context, name, version string) (*judge, error) {
		if version == "6.6.6" {
			return nil, &classify.ProofError{Model: name, Err: classify.ErrVector}
		}
		p := *base.pkg
		p.Version = version
		closed[version] = new(int)
		return &judge{pkg: &p, runtime: "stub", session: counted{closed: closed[version]}}, nil
	}
	g, err := j.open(t.Context(), "stub", versions[0])
	if err != nil {
		t.Fatal(err)
	}
	if j.places[simulatedName], err = j.place(simulatedName, g); err != nil {
		t.Fatal(err)
	}
	if err := j.registry.Apply(model.Change{By: "t", Model: "stub", Alias: model.Production, To: versions[0]}); err != nil {
		t.Fatal(err)
	}
	return j, closed, file
}

func to(alias, version string) model.Change {
	return model.Change{By: "Ada", Model: "stub", Alias: alias, To: version}
}

// A judge is closed when it has left its place and its last board: not before,
// not twice, not never.
func TestRetiredJudgesClose(t *testing.T) {
	j, closed, _ := changing(t, "1.0.0", "2.0.0", "3.0.0", "6.6.6")
	must := func(_ model.Change, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	a, err := j.take("")
	if err != nil {
		t.Fatal(err)
	}
	b, err := j.take("")
	if err != nil {
		t.Fatal(err)
	}
	must(j.change(t.Context(), to(model.Production, "2.0.0")))
	if c, err := j.take(""); err != nil || c.pkg.Version != "2.0.0" || a.pkg.Version != "1.0.0" {
		t.Errorf("the next board is judged by %v, %v", c.pkg, err)
	} else if err := c.leave(); err != nil {
		t.Error(err)
	}
	if err := a.leave(); err != nil || *closed["1.0.0"] != 0 {
		t.Errorf("closed %d times under a board: %v", *closed["1.0.0"], err)
	}
	if err := b.leave(); err != nil || *closed["1.0.0"] != 1 {
		t.Errorf("closed %d times after its last board: %v", *closed["1.0.0"], err)
	}
	must(j.change(t.Context(), to(model.Shadow, "2.0.0"))) // the same judge in two places
	must(j.change(t.Context(), to(model.Production, "3.0.0")))
	if *closed["2.0.0"] != 0 {
		t.Error("the shadow was closed")
	}
	var none *changeError
	must(j.change(t.Context(), to(model.Shadow, "")))
	if _, err := j.change(t.Context(), to(model.Shadow, "")); !errors.As(err, &none) || !strings.Contains(err.Error(), "stub has no shadow") {
		t.Errorf("off again: %v", err)
	}
	if *closed["2.0.0"] != 1 {
		t.Errorf("closed %d times without a place", *closed["2.0.0"])
	}
	var refused *refusedError
	if _, err := j.change(t.Context(), to(model.Production, "6.6.6")); !errors.As(err, &refused) || !errors.Is(err, classify.ErrVector) || len(j.refusals()) != 1 {
		t.Errorf("a candidate that fails: %v, noted %v", err, j.refusals())
	}
	must(j.change(t.Context(), model.Change{By: "Ada", Model: "stub", Alias: model.Production, Back: true}))
	if id, _ := j.now(""); !strings.HasPrefix(id, "stub/2.0.0") || len(j.refusals()) != 0 || *closed["3.0.0"] != 1 {
		t.Errorf("%s judges after the rollback, noted %v", id, j.refusals())
	}
	if err := j.Close(); err != nil || *closed["2.0.0"] != 1 { // a new session of it: the counter began again
		t.Errorf("closed %d times at the end: %v", *closed["2.0.0"], err)
	}
}

// A shadow that is promoted is a shadow no more: both are written down at once,
// and its session is the one that judged beside.
func TestPromoteTheShadow(t *testing.T) {
	j, closed, _ := changing(t, "1.0.0", "2.0.0")
	for _, c := range []model.Change{to(model.Shadow, "2.0.0"), to(model.Production, "2.0.0")} {
		if _, err := j.change(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if v := j.registry.Alias("stub", model.Shadow); v != "" || len(j.beside) != 0 || *closed["2.0.0"] != 0 || *closed["1.0.0"] != 1 {
		t.Errorf("shadow is %q, %d beside, closed %d and %d times", v, len(j.beside), *closed["1.0.0"], *closed["2.0.0"])
	}
	all := j.registry.Changes()
	if last := all[len(all)-1]; last.Alias != model.Shadow || last.From != "2.0.0" || last.To != "" || last.By != "Ada" || !last.At.Equal(all[len(all)-2].At) {
		t.Errorf("audit: %+v", all)
	}
	if _, err := j.change(t.Context(), model.Change{By: "Ada", Model: "stub", Alias: model.Production, Back: true}); err != nil {
		t.Error(err)
	}
	if id, _ := j.now(""); !strings.HasPrefix(id, "stub/1.0.0") {
		t.Errorf("%s judges after the rollback", id)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// What cannot be written down, and what nobody waits for, does not happen.
func TestChangeThatCannotBeKept(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx   context.Context
		spoil func(file string) error
	}{
		"asker gone": {gone, func(string) error { return nil }},
		"disk": {t.Context(), func(file string) error {
			return errors.Join(os.Remove(file), os.MkdirAll(filepath.Join(file, "x"), 0o755))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			j, closed, file := changing(t, "1.0.0", "2.0.0")
			defer j.Close()
			if err := c.spoil(file); err != nil {
				t.Fatal(err)
			}
			if _, err := j.change(c.ctx, to(model.Production, "2.0.0")); err == nil || *closed["2.0.0"] != 1 {
				t.Errorf("%v, closed %d times", err, *closed["2.0.0"])
			}
			if id, _ := j.now(""); !strings.HasPrefix(id, "stub/1.0.0") {
				t.Errorf("%s judges", id)
			}
			if v, err := j.registry.Resolve(model.Ref{Name: "stub", At: model.Production}); err != nil || v != "1.0.0" {
				t.Errorf("the registry says %s, %v", v, err)
			}
		})
	}
}

// A model that is too slow for the takt limit is refused, by measurement.
func TestSlowModelIsRefused(t *testing.T) {
	c := defaults()
	c.Data, c.Trigger.Takt = t.TempDir(), time.Microsecond
	if _, err := openJudges(t.Context(), c, nil); !errors.Is(err, classify.ErrSlow) {
		t.Errorf("error is %v", err)
	}
	c.Trigger.Takt = time.Minute
	hasty := newSimulation(c.Simulated).recipe()
	hasty.Takt = time.Microsecond
	if _, err := openJudges(t.Context(), c, map[string]recipe{"hasty": hasty}); !errors.Is(err, classify.ErrSlow) {
		t.Errorf("for the takt limit of one recipe: %v", err)
	}
}
