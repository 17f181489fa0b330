package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"inspector"
	"inspector/board"
	"inspector/camera"
	"inspector/classify"
	"inspector/web"
)

// message is what a subscriber needs of a result or an alert.
type message struct {
	Key     string            `json:"key"`
	ID      string            `json:"id"`
	Verdict inspector.Verdict `json:"verdict"`
	Defects []inspector.Defect
}

// receive gives the next message of the topic's last level.
func receive(t *testing.T, lines <-chan string, level string) message {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		select {
		case line := <-lines:
			topic, payload, _ := strings.Cut(line, " ")
			if !strings.HasSuffix(topic, "/"+level) {
				continue
			}
			var m message
			if err := json.Unmarshal([]byte(payload), &m); err != nil {
				t.Fatalf("%s: %v in %s", topic, err, payload)
			}
			return m
		case <-deadline:
			t.Fatalf("no %s within a minute", level)
		}
	}
}

// The main job: boards pass the camera, defects are quarantined, alerted,
// forwarded, decided by a person and closed.
func TestSimulatedLine(t *testing.T) {
	dir := t.TempDir()
	a := startAppliance(t, dir, "INSPECTOR_SIMULATED_DEFECT_RATE=0.5")
	alerts := subscriber(t, a.broker, "-t", "inspector/#")
	alert := receive(t, alerts, "alert")
	if alert.Verdict == inspector.Pass || alert.ID == "" || !strings.HasPrefix(alert.Key, alert.ID+"/") {
		t.Errorf("alert %+v: want a board that did not pass, and its key", alert)
	}
	i := get[web.Record](a, "/api/v1/inspections/"+alert.ID)
	if i.Verdict != alert.Verdict || i.Model == "" || i.Recipe != "simulated" || i.Reason == "" {
		t.Errorf("inspection %+v does not agree with its alert %+v", i, alert)
	}
	image, err := imageOf(i.Inspection)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"image", "overlay"} {
		code, b := a.do(http.MethodGet, "/api/v1/inspections/"+alert.ID+"/evidence/"+kind, "", nil)
		if p, err := camera.Decode(b, maxStill); code != http.StatusOK || err != nil || p.Width != simulatedSize {
			t.Errorf("%s: %d, %d pixels wide, %v", kind, code, p.Width, err)
		}
	}
	a.until("the board is forwarded and quarantined", func() bool {
		kept := filepath.Join(dir, "upstream", "inspections", "boards", "site", "line1", "inspector1", "simulated", i.At.UTC().Format("2006/01/02"), alert.ID)
		messages, _ := filepath.Glob(filepath.Join(dir, "upstream", "results", alert.ID+"%2FAnnounce%2F*.json"))
		return isFile(t, kept, "image.jpg") && isFile(t, kept, "inspection.json") && len(messages) == 1 && isFile(t, dir, "quarantine", alert.ID+".jpg")
	})
	if !isFile(t, dir, "evidence", image.Path) {
		t.Errorf("no evidence at %s", image.Path)
	}

	for range 2 { // the first one stays
		if code, b := a.do(http.MethodPost, "/api/v1/inspections/"+alert.ID+"/acknowledgement", "application/json", strings.NewReader(`{"by":"Eve"}`)); code != http.StatusOK {
			t.Errorf("an acknowledgement: %d %s", code, b)
		}
	}
	decision := `{"decision":"scrap","by":"Ada","note":"short under the chip"}`
	a.until("the board waits for a person", func() bool {
		code, _ := a.do(http.MethodPost, "/api/v1/inspections/"+alert.ID+"/disposition", "application/json", strings.NewReader(decision))
		return code == http.StatusOK
	})
	if code, b := a.do(http.MethodPost, "/api/v1/inspections/"+alert.ID+"/disposition", "application/json", strings.NewReader(decision)); code != http.StatusConflict {
		t.Errorf("a second decision: %d %s; want 409", code, b)
	}
	a.until("the execution succeeded", func() bool {
		return get[web.Execution](a, "/api/v1/executions/"+alert.ID).Status == "SUCCEEDED"
	})
	r := get[web.Record](a, "/api/v1/inspections/"+alert.ID)
	if d := r.Disposition; d == nil || d.Decision != "scrap" || d.By != "Ada" {
		t.Errorf("disposition %+v; want Ada's scrap", d)
	}
	if r.Acknowledged == nil || r.Acknowledged.By != "Eve" {
		t.Errorf("acknowledged %+v; want Eve's", r.Acknowledged)
	}
	for range 5 {
		receive(t, alerts, "result")
	}
	s := a.status()
	if c := s.Counts; c.Triggers != c.Pass+c.Fail+c.Unsure+c.InFlight || c.Pass == 0 || c.Fail == 0 {
		t.Errorf("ledger %+v: triggers must be pass + fail + unsure + in flight, and both kinds must have come", c)
	}
	if code, b := a.do(http.MethodGet, "/readyz", "", nil); code != http.StatusOK {
		t.Errorf("readyz %d %s", code, b)
	}
	a.stop()
}

// A board on a picture that is posted, and the same request again.
func TestPostedPicture(t *testing.T) {
	a := startAppliance(t, t.TempDir(), "INSPECTOR_TRIGGER_MODE=external")
	b, err := board.New(1, simulatedSize)
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]inspector.Verdict{0: inspector.Pass, 3: inspector.Fail} {
		o := board.Usual(board.Photo)
		o.Defects = n
		p, _, err := b.Sample(4, o)
		if err != nil {
			t.Fatal(err)
		}
		picture, err := classify.JPEG(p, 95)
		if err != nil {
			t.Fatal(err)
		}
		path := fmt.Sprintf("/api/v1/inspections?request=r%d&serial=A%d", n, n)
		code, first := a.do(http.MethodPost, path, "image/jpeg", bytes.NewReader(picture))
		if code != http.StatusOK && code != http.StatusCreated {
			t.Fatalf("%d %s", code, first)
		}
		var i, again inspector.Inspection
		if err := json.Unmarshal(first, &i); err != nil {
			t.Fatal(err)
		}
		if i.Verdict != want || i.Serial != fmt.Sprint("A", n) {
			t.Errorf("%d defects: %s because %s; want %s", n, i.Verdict, i.Reason, want)
		}
		_, second := a.do(http.MethodPost, path, "image/jpeg", bytes.NewReader(picture))
		if err := json.Unmarshal(second, &again); err != nil || again.ID != i.ID || again.Verdict != i.Verdict {
			t.Errorf("asked again: %+v; want the same as %+v", again, i)
		}
	}
	p, _, err := b.Sample(5, board.Usual(board.Photo))
	if err != nil {
		t.Fatal(err)
	}
	if code, answer := a.do(http.MethodPost, "/api/v1/inspections?request=r0&serial=A0", "image/jpeg", bytes.NewReader(jpeg(t, p))); code != http.StatusConflict {
		t.Errorf("another picture with a request that was used: %d %s; want 409, not the other board's verdict", code, answer)
	}
	for name, junk := range map[string][]byte{"empty": {}, "text": []byte("not a picture"), "cut": []byte("\xff\xd8\xff\xe0\x00\x10JFIF")} {
		if code, b := a.do(http.MethodPost, "/api/v1/inspections", "image/png", bytes.NewReader(junk)); code < 400 || code >= 500 {
			t.Errorf("%s picture: %d %s; want a refusal", name, code, b)
		}
	}
	if c := a.status().Counts; c.Triggers != 2 {
		t.Errorf("ledger %+v: want the two boards only", c)
	}
	a.stop()
}

// A verdict that was given stays the answer to its request, also after its
// recipe was removed. Nothing new is judged by that recipe.
func TestRemovedRecipeStillAnswers(t *testing.T) {
	dir, recipes := t.TempDir(), drawnRecipes(t, "old")
	_, golden := simulatedBoard(t)
	picture := jpeg(t, golden)
	post := func(a *appliance, request, serial string) (code int, i inspector.Inspection) {
		code, answer := a.do(http.MethodPost, "/api/v1/inspections?recipe=old&request="+request+"&serial="+serial, "image/jpeg", bytes.NewReader(picture))
		_ = json.Unmarshal(answer, &i)
		return code, i
	}
	env := []string{"INSPECTOR_TRIGGER_MODE=external", "INSPECTOR_RECIPES=" + recipes}
	a := startAppliance(t, dir, env...)
	code, first := post(a, "r1", "S1")
	if code >= 300 || first.Recipe != "old" || first.ID == "" {
		t.Fatalf("%d %+v; want a verdict by the recipe", code, first)
	}
	a.stop()
	if err := os.Remove(filepath.Join(recipes, "old.yaml")); err != nil {
		t.Fatal(err)
	}
	a = startAppliance(t, dir, env...)
	if code, again := post(a, "r1", "S1"); code >= 300 || again.ID != first.ID || again.Verdict != first.Verdict {
		t.Errorf("asked again: %d %+v; want the answer of before, %+v", code, again, first)
	}
	if code, other := post(a, "r1", "S2"); code != http.StatusNotFound {
		t.Errorf("another board with that request: %d %+v; want 404", code, other)
	}
	for _, request := range []string{"r2", ""} {
		if code, other := post(a, request, "S1"); code != http.StatusNotFound {
			t.Errorf("request %q by the removed recipe: %d %+v; want 404", request, code, other)
		}
	}
	if all := a.inspections(""); len(all) != 1 {
		t.Errorf("%d inspections: want the one board", len(all))
	}
	a.stop()
}

// Triggers end in one verdict each, in a camera's absence too.
func TestTriggers(t *testing.T) {
	a := startAppliance(t, t.TempDir(), "INSPECTOR_TRIGGER_MODE=external")
	trigger := func(a *appliance, body string) (i inspector.Inspection) {
		code, b := a.do(http.MethodPost, "/api/v1/triggers", "application/json", strings.NewReader(body))
		if code >= 300 {
			t.Fatalf("%d %s", code, b)
		}
		if err := json.Unmarshal(b, &i); err != nil {
			t.Fatal(err)
		}
		return i
	}
	first, again := trigger(a, `{"request":"p1","serial":"S1"}`), trigger(a, `{"request":"p1","serial":"S1"}`)
	if first.Verdict == inspector.Unsure || first.Serial != "S1" || again.ID != first.ID {
		t.Errorf("trigger gave %+v, again %+v", first, again)
	}
	answers := subscriber(t, a.broker, "-t", "inspector/#")
	for line := range answers { // retained, and announced after the appliance has subscribed: now both have
		if strings.HasSuffix(line, "/availability online") {
			break
		}
	}
	publish := exec.CommandContext(t.Context(), tool(t, "mosquitto_pub"), "-h", "127.0.0.1", "-p", a.broker, "-q", "1", "-t", "inspector/site/line1/inspector1/set/trigger", "-m", `{"request":"m1","serial":"S2"}`)
	if out, err := publish.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if m := receive(t, answers, "state/trigger"); m.ID == "" || m.Verdict == "" {
		t.Errorf("answer %+v; want the verdict about a board", m)
	}
	a.stop()

	for _, mode := range []string{"external", "free-run", "interval"} {
		gone := startAppliance(t, t.TempDir(), "INSPECTOR_TRIGGER_MODE="+mode, "INSPECTOR_TRIGGER_INTERVAL=1h", "INSPECTOR_CAMERA_SOURCE=rtsp://127.0.0.1:9/none", "INSPECTOR_TRIGGER_TAKT=5m")
		gone.until("the camera is lost", func() bool { return strings.HasPrefix(gone.part("camera").Detail, "lost") })
		asked := time.Now()
		if i := trigger(gone, `{}`); i.Verdict != inspector.Unsure || !strings.Contains(i.Reason, "camera gone") {
			t.Errorf("%s without a camera: %s because %q; want unsure because of the camera", mode, i.Verdict, i.Reason)
		}
		if took := time.Since(asked); took > time.Minute {
			t.Errorf("%s without a camera: the answer took %v; the takt limit is not to be waited for", mode, took)
		}
		if code, b := gone.do(http.MethodGet, "/readyz", "", nil); code != http.StatusServiceUnavailable || !strings.Contains(string(b), "camera") {
			t.Errorf("%s, readyz without a camera: %d %s", mode, code, b)
		}
		if c := gone.status().Counts; c.Unsure != 1 || c.Triggers != 1 {
			t.Errorf("%s, ledger %+v", mode, c)
		}
		gone.stop()
	}
}

// Free run goes on after a trigger that came while there was no camera.
func TestFreeRunGoesOn(t *testing.T) {
	stills := filepath.Join(t.TempDir(), "stills")
	a := startAppliance(t, t.TempDir(), "INSPECTOR_CAMERA_SOURCE=folder:"+stills+"?mode=watch", "INSPECTOR_TRIGGER_TAKT=5m")
	a.until("the camera is lost", func() bool { return strings.HasPrefix(a.part("camera").Detail, "lost") })
	if code, b := a.do(http.MethodPost, "/api/v1/triggers", "application/json", strings.NewReader(`{}`)); code >= 300 || !strings.Contains(string(b), "camera gone") {
		t.Fatalf("%d %s; want unsure because of the camera", code, b)
	}
	_, p := simulatedBoard(t)
	if err := os.Mkdir(stills, 0o700); err != nil {
		t.Fatal(err)
	}
	a.until("the camera is back", func() bool { return a.part("camera").State == web.OK })
	if err := os.WriteFile(filepath.Join(stills, "1.jpg"), jpeg(t, p), 0o600); err != nil {
		t.Fatal(err)
	}
	a.until("the still is judged", func() bool { return a.status().Counts.Triggers == 2 })
	a.stop()
}

// An appliance that is asked to stop answers who waits: unsure.
func TestStopAnswersTriggers(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0") // a camera that never says a word
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	dir := t.TempDir()
	a := startAppliance(t, dir, "INSPECTOR_TRIGGER_MODE=external", "INSPECTOR_CAMERA_SOURCE=rtsp://"+mute.Addr().String()+"/cam")
	answer := make(chan inspector.Inspection, 1)
	go func() {
		var i inspector.Inspection
		_, b := a.do(http.MethodPost, "/api/v1/triggers", "application/json", strings.NewReader(`{"request":"1"}`))
		_ = json.Unmarshal(b, &i)
		answer <- i
	}()
	a.until("the board is in flight", func() bool { return a.status().Counts.InFlight == 1 })
	a.stop()
	if i := <-answer; i.Verdict != inspector.Unsure || !strings.Contains(i.Reason, "stopping") {
		t.Errorf("%s because %q; want unsure because the appliance is stopping", i.Verdict, i.Reason)
	}
}

// A board that was triggered when the power went is unsure at the next start,
// and whoever asks again hears just that.
func TestKillInFlight(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	dir := t.TempDir()
	a := startAppliance(t, dir, "INSPECTOR_TRIGGER_MODE=external", "INSPECTOR_CAMERA_SOURCE=rtsp://"+mute.Addr().String()+"/cam")
	hungUp := make(chan struct{})
	go func() {
		defer close(hungUp)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.page+"/api/v1/triggers", strings.NewReader(`{"request":"1"}`))
		if err != nil {
			t.Error(err)
			return
		}
		r.Header.Set("Content-Type", "application/json")
		if answer, err := http.DefaultClient.Do(r); err == nil {
			answer.Body.Close()
			t.Error("there was an answer before the power went")
		}
	}()
	a.until("the board is in flight", func() bool { return a.status().Counts.InFlight == 1 })
	a.kill()
	<-hungUp
	a = startAppliance(t, dir, "INSPECTOR_TRIGGER_MODE=external")
	code, b := a.do(http.MethodPost, "/api/v1/triggers", "application/json", strings.NewReader(`{"request":"1"}`))
	var i inspector.Inspection
	if err := json.Unmarshal(b, &i); err != nil || i.Verdict != inspector.Unsure || !strings.Contains(i.Reason, "stopped before") {
		t.Errorf("%d %s; want unsure because the appliance stopped", code, b)
	}
	a.stop()
}

// Power cuts at any moment lose no accepted board and repeat no recorded step.
func TestKillLosesNothing(t *testing.T) {
	dir := t.TempDir()
	known := map[string]inspector.Verdict{}
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	for range 6 {
		a := startAppliance(t, dir, "INSPECTOR_CAMERA_PERIOD=20ms", "INSPECTOR_SIMULATED_DEFECT_RATE=0.6")
		enough := len(known) + 3 + random.IntN(10)
		a.until("boards are accepted", func() bool { return len(a.inspections("")) >= min(enough, 480) })
		for _, r := range a.inspections("") {
			known[r.ID] = r.Verdict
		}
		a.kill()
	}
	// The last life takes no new boards: it only finishes.
	a := startAppliance(t, dir, "INSPECTOR_TRIGGER_MODE=external")
	a.until("everything is delivered", a.idle)
	have := map[string]inspector.Verdict{}
	for _, r := range a.inspections("") {
		have[r.ID] = r.Verdict
	}
	for id, verdict := range known {
		if have[id] != verdict {
			t.Errorf("board %s: %q; it was answered as %s", id, have[id], verdict)
		}
	}
	for id, verdict := range have {
		events := get[struct{ Events []web.Event }](a, "/api/v1/executions/"+id+"/history").Events
		done := map[string]int{}
		for _, e := range events {
			if e.Kind == "TaskSucceeded" || e.Kind == "TaskStateExited" {
				done[e.Kind+" "+e.State]++
			}
		}
		for what, n := range done {
			if strings.HasPrefix(what, "TaskStateExited") && n != 1 {
				t.Errorf("board %s: %s is recorded %d times", id, what, n)
			}
		}
		if done["TaskStateExited PublishPass"]+done["TaskStateExited Alert"] != 1 {
			t.Errorf("board %s is %s, and its steps are %v", id, verdict, done)
		}
		x := get[web.Execution](a, "/api/v1/executions/"+id)
		if verdict == inspector.Pass && x.Status != "SUCCEEDED" {
			t.Errorf("board %s passed, but its execution is %s at %v", id, x.Status, x.States)
		}
		if verdict != inspector.Pass && !isFile(t, dir, "quarantine", id+".jpg") {
			t.Errorf("board %s is %s, but not in quarantine", id, verdict)
		}
	}
	if c := a.status().Counts; c.InFlight != 0 || c.Triggers != c.Pass+c.Fail+c.Unsure {
		t.Errorf("ledger %+v", c)
	}
	a.stop()
}

// Recorded boards, each against its own golden.
func TestDeepPCBFolder(t *testing.T) {
	data := filepath.Join("..", "..", "..", "shared", "data", "deeppcb", "trainval")
	all, _ := filepath.Glob(filepath.Join(data, "*_test.png"))
	if len(all) == 0 {
		t.Skipf("no DeepPCB pairs at %s", data)
	}
	stills, recipes := t.TempDir(), t.TempDir()
	const n = 12
	for k := range n {
		test := all[k*len(all)/n]
		golden := strings.TrimSuffix(test, "_test.png") + "_temp.png"
		for _, f := range []string{test, golden} {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			to := stills
			if f == golden {
				to = recipes
			}
			if err := os.WriteFile(filepath.Join(to, filepath.Base(f)), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(stills, "broken_test.png"), []byte("not a picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(recipes, "deeppcb.yaml"), []byte("golden: \"{name}_temp.png\"\ncopper: dark\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := startAppliance(t, t.TempDir(), "INSPECTOR_CAMERA_SOURCE=folder:"+stills+"?mode=once", "INSPECTOR_RECIPES="+recipes, "INSPECTOR_RECIPE=deeppcb")
	a.until("all stills are judged", func() bool { return len(a.inspections("")) == n+1 })
	defects := 0
	for _, r := range a.inspections("") {
		switch {
		case r.Still == "broken_test.png" && r.Verdict != inspector.Unsure:
			t.Errorf("a broken still is %s because %s; want unsure", r.Verdict, r.Reason)
		case r.Still != "broken_test.png" && r.Verdict == inspector.Pass:
			t.Errorf("%s passed; every one of these boards has defects", r.Still)
		}
		defects += len(r.Defects)
		if r.Missed != 0 {
			t.Errorf("%s: %d stills were dropped before it", r.Still, r.Missed)
		}
	}
	if defects < 2*n {
		t.Errorf("%d defects on %d boards that have at least three each", defects, n)
	}
	a.stop()
}

// film is a recording of ten drawn boards, every second one with defects.
func film(t *testing.T) string {
	t.Helper()
	ffmpeg := tool(t, "ffmpeg")
	dir := t.TempDir()
	b, err := board.New(1, simulatedSize)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 10 {
		o := board.Usual(board.Photo)
		o.Defects = n % 2 * 3
		p, _, err := b.Sample(uint64(n), o)
		if err != nil {
			t.Fatal(err)
		}
		picture, err := classify.JPEG(p, 98)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d.jpg", n)), picture, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	clip := filepath.Join(dir, "clip.mp4")
	if out, err := exec.CommandContext(t.Context(), ffmpeg, "-loglevel", "error", "-framerate", "10", "-i", filepath.Join(dir, "%02d.jpg"), "-c:v", "libx264", "-crf", "12", "-pix_fmt", "yuv420p", clip).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v %s", err, out)
	}
	return clip
}

func TestVideoFile(t *testing.T) {
	a := startAppliance(t, t.TempDir(), "INSPECTOR_CAMERA_SOURCE="+film(t))
	a.until("ten frames are judged", func() bool { return len(a.inspections("")) == 10 })
	verdicts := map[bool]map[inspector.Verdict]int{false: {}, true: {}}
	for _, r := range a.inspections("") {
		verdicts[r.Seq%2 == 0][r.Verdict]++ // frames count from 1: the even ones have defects
	}
	if verdicts[true][inspector.Pass] > 0 || verdicts[false][inspector.Pass] < 4 {
		t.Errorf("verdicts of boards with defects %v, of good boards %v", verdicts[true], verdicts[false])
	}
	a.stop()
}

// The same boards from a camera on the network, which plays them for ever.
func TestNetworkCamera(t *testing.T) {
	flags, err := exec.CommandContext(t.Context(), "pkg-config", "--cflags", "--libs", "gstreamer-rtsp-server-1.0").Output()
	if err != nil {
		if os.Getenv("INSPECTOR_REQUIRE_TOOLS") == "1" {
			t.Fatalf("no headers of the RTSP server: %v", err)
		}
		t.Skipf("no headers of the RTSP server: %v", err)
	}
	program := filepath.Join(t.TempDir(), "rtspserver")
	source := filepath.Join("..", "..", "camera", "testdata", "rtspserver.c")
	if out, err := exec.CommandContext(t.Context(), "cc", append([]string{"-O1", "-o", program, source}, strings.Fields(string(flags))...)...).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v %s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), program, "0", "( filesrc location="+film(t)+" ! qtdemux ! h264parse ! rtph264pay name=pay0 pt=96 )")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	a := startAppliance(t, t.TempDir(), "INSPECTOR_CAMERA_SOURCE=rtsp://127.0.0.1:"+strings.TrimSpace(port)+"/cam")
	a.until("frames of the stream are judged", func() bool {
		seen := map[inspector.Verdict]int{}
		for _, r := range a.inspections("") {
			seen[r.Verdict]++
		}
		return seen[inspector.Pass] > 0 && seen[inspector.Fail] > 0
	})
	a.stop()
}
