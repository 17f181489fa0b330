package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"inspector/web"
)

// browser opens a real one; wait waits until the page makes an expression true.
func browser(t *testing.T) (ctx context.Context, wait func(expression string)) {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		path = tool(t, "chromium-headless-shell")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 800),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("no-proxy-server", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses its sandbox to root
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	ctx, end := chromedp.NewExecAllocator(ctx, options...)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(func() { closeTab(); end(); cancel() })
	return ctx, func(expression string) {
		t.Helper()
		if _, err := chromedp.Run(ctx, chromedp.Poll[bool]("Boolean("+expression+")", chromedp.WithPollingTimeout(40*time.Second))); err != nil {
			t.Fatalf("never true on the page: %s: %v", expression, err)
		}
	}
}

// act does something in the browser.
func act(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// The page of a running appliance shows boards being judged. With
// INSPECTOR_PICTURE=FILE it keeps the README's picture of it.
func TestPageShowsTheLine(t *testing.T) {
	a := startAppliance(t, t.TempDir(), "INSPECTOR_CAMERA_PERIOD=700ms", "INSPECTOR_SIMULATED_DEFECT_RATE=0.3")
	ctx, wait := browser(t)
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(a.page)); err != nil {
		t.Fatal(err)
	}
	wait(`document.querySelectorAll('#rows tr').length >= 6`)
	wait(`document.getElementById('live').naturalWidth === 640`)
	wait(`document.getElementById('word').textContent === 'Fail' && document.querySelectorAll('#live-boxes .box').length > 0`)
	if file := os.Getenv("INSPECTOR_PICTURE"); file != "" {
		picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	a.stop()
	wait(`!document.getElementById('lost').hidden`) // a page that is cut off says so
}

// An execution of a running appliance opens with its coloured graph. With
// INSPECTOR_SCREENSHOTS=FOLDER it keeps pictures for people.
func TestPageShowsAnExecution(t *testing.T) {
	a := startAppliance(t, t.TempDir(), "INSPECTOR_CAMERA_PERIOD=700ms", "INSPECTOR_SIMULATED_DEFECT_RATE=0.5")
	var held string
	a.until("a board waits for a person", func() bool {
		for _, x := range get[struct{ Executions []web.Execution }](a, "/api/v1/executions?status=RUNNING").Executions {
			if slices.Equal(x.States, []string{reviewState}) {
				held = x.ID
			}
		}
		return held != ""
	})
	for _, args := range [][]string{{"--execution", held}, {"--execution", held, "inspection"}} {
		var out, errs bytes.Buffer
		if code := command(t.Context(), append([]string{"workflow", "graph", "--address", a.page}, args...), func(string) string { return "" }, &out, &errs); code != 0 {
			t.Fatal(code, errs.String())
		}
		for _, want := range []string{`class="state task waiting" data-state="WaitForDisposition"`, `class="state parallel succeeded" data-state="Hold"`, `class="state task succeeded" data-state="Alert"`, `class="state task" data-state="Close"`} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%v: the picture lacks %s", args, want)
			}
		}
	}
	ctx, wait := browser(t)
	act(t, ctx, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(a.page+"#"+held))
	wait(`document.getElementById('board').open`)
	act(t, ctx, chromedp.Click(chromedp.CSS(`#board-run`)))
	wait(`document.getElementById('run-graph').naturalWidth > 1000 && document.querySelectorAll('#run-events tr').length > 20`)
	wait(`document.querySelector('#run-state .pill').textContent === 'in progress' && document.getElementById('run-redrive').hidden`)
	for _, v := range []view{{"run-light", 1500, 1100, "light"}, {"run-dark", 1500, 1100, "dark"}, {"run-phone", 390, 844, "light"}} {
		v.show(t, ctx)
		wait(fmt.Sprintf("document.getElementById('runs').getBoundingClientRect().right <= %d", v.width))
		act(t, ctx, chromedp.Click(chromedp.CSS(`#run-again`)))
		wait(`document.querySelector('.graph').scrollTop > 0`) // to where it waits
		v.keep(t, ctx)
	}
	act(t, ctx, chromedp.EmulateViewport(1280, 800), chromedp.Click(chromedp.CSS(`#runs-back`)))
	wait(`document.querySelectorAll('#run-rows tr').length >= 1`)
	view{"runs-light", 1280, 800, "light"}.keep(t, ctx)
}

// What is parked or failed goes on by a click, and what runs is stopped by two.
func TestPageRedrivesAndStops(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	mes := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	t.Cleanup(mes.Close)
	host := strings.TrimPrefix(mes.URL, "http://")
	connections := folder(t, map[string]string{"mes.yaml": "hosts: ['" + host + "']\nplain_http: true\n"})
	secret := filepath.Join(connections, "password")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(connections, "vault.yaml"), []byte("hosts: ['"+host+"']\nplain_http: true\nauthorization: basic\nusername: inspector\npassword_file: "+secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := startAppliance(t, t.TempDir(), "INSPECTOR_CAMERA_PERIOD=5s", "INSPECTOR_CONNECTIONS="+connections)
	if err := os.Remove(secret); err != nil {
		t.Fatal(err)
	}
	ask := func(name string) string {
		return `{"Type":"Task","Resource":"arn:aws:states:::http:invoke","Parameters":{"ApiEndpoint":"` + mes.URL + `/","Method":"GET","Authentication":{"ConnectionArn":"` + name + `"}},"End":true}`
	}
	for name, state := range map[string]string{"parks": ask("vault"), "fails": ask("mes"), "waits": `{"Type":"Wait","Seconds":3600,"End":true}`} {
		for _, order := range [][2]string{{"CreateStateMachine", `{"name":"` + name + `","definition":{"StartAt":"Ask","States":{"Ask":` + state + `}}}`}, {"StartExecution", `{"stateMachine":"` + name + `","name":"` + name + `-1"}`}} {
			if code, answer := a.do("POST", "/api/v1/states/"+order[0], "application/json", strings.NewReader(order[1])); code != http.StatusOK {
				t.Fatalf("%s: %d %s", order[0], code, answer)
			}
		}
	}
	a.until("they are parked and failed", func() bool {
		return get[web.Execution](a, "/api/v1/executions/parks-1").Parked != "" && get[web.Execution](a, "/api/v1/executions/fails-1").Status == "FAILED"
	})
	ctx, wait := browser(t)
	v := view{"", 1280, 900, "light"}
	v.show(t, ctx)
	act(t, ctx, chromedp.Navigate(a.page))
	open := func(name, pill string) {
		t.Helper()
		wait(`(row => row && (row.click(), true))(document.querySelector('#run-rows tr[data-id="` + name + `"] button'))`) // in one step: the list may be drawn anew at any time
		wait(`document.getElementById('runs-title').textContent === 'Execution ` + name + `' && document.querySelector('#run-state .pill')?.textContent === '` + pill + `'`)
		v.name = "run-" + name
		v.keep(t, ctx)
	}
	becomes := func(pill string) {
		t.Helper()
		wait(`(document.getElementById('run-again').click(), document.querySelector('#run-state .pill').textContent === '` + pill + `')`)
		act(t, ctx, chromedp.Click(chromedp.CSS(`#runs-back`)))
		wait(`!document.getElementById('runs-list').hidden && document.querySelectorAll('#run-rows tr').length >= 3`)
	}
	act(t, ctx, chromedp.Click(chromedp.CSS(`#runs-open`)))
	wait(`document.querySelectorAll('#run-rows tr').length >= 3`)
	open("waits-1", "in progress")
	act(t, ctx, chromedp.Click(chromedp.CSS(`#run-stop`)))
	wait(`document.getElementById('run-stop').textContent.startsWith('Stop for good')`)
	if x := get[web.Execution](a, "/api/v1/executions/waits-1"); x.Status != "RUNNING" {
		t.Errorf("one click has stopped it: %+v", x)
	}
	act(t, ctx, chromedp.Click(chromedp.CSS(`#run-stop`)))
	becomes("stopped")
	down.Store(false)
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	open("parks-1", "parked")
	wait(`!document.getElementById('amend').hidden && JSON.parse(document.getElementById('amend-input').value).Method === 'GET'`)
	v.name = "run-parked-input"
	v.keep(t, ctx)
	act(t, ctx, chromedp.Click(chromedp.CSS(`#run-redrive`)))
	becomes("succeeded")
	if x := get[web.Execution](a, "/api/v1/executions/parks-1"); x.Redrives != 0 {
		t.Errorf("parked work counts as a redrive: %+v", x) // it had not ended
	}
	open("fails-1", "failed")
	act(t, ctx, chromedp.Click(chromedp.CSS(`#run-redrive`)))
	becomes("succeeded")
}

// A view is how somebody looks at the page.
type view struct {
	name          string
	width, height int64
	scheme        string // light or dark
}

func (v view) show(t *testing.T, ctx context.Context) {
	t.Helper()
	act(t, ctx, chromedp.EmulateViewport(v.width, v.height), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: v.scheme}}})
		return err
	}))
}

// keep writes what is seen into the folder that INSPECTOR_SCREENSHOTS names.
func (v view) keep(t *testing.T, ctx context.Context) {
	t.Helper()
	dir := os.Getenv("INSPECTOR_SCREENSHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, v.name+".png"), picture, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
