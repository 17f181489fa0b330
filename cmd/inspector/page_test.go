package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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
	view := func(name string, width, height int64, scheme string) {
		t.Helper()
		err := chromedp.Do(ctx, chromedp.EmulateViewport(width, height), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
			return err
		}))
		if err != nil {
			t.Fatal(err)
		}
		wait(fmt.Sprintf("document.getElementById('runs').getBoundingClientRect().right <= %d", width))
		if dir := os.Getenv("INSPECTOR_SCREENSHOTS"); dir != "" {
			picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(a.page+"#"+held)); err != nil {
		t.Fatal(err)
	}
	wait(`document.getElementById('board').open`)
	if err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS(`#board-run`))); err != nil {
		t.Fatal(err)
	}
	wait(`document.getElementById('run-graph').naturalWidth > 1000 && document.querySelectorAll('#run-events tr').length > 20`)
	wait(`document.querySelector('#run-state .pill').textContent === 'in progress' && document.getElementById('run-redrive').hidden`)
	view("run-light", 1500, 1100, "light")
	view("run-dark", 1500, 1100, "dark")
	view("run-phone", 390, 844, "light")
	stop := chromedp.Click(chromedp.CSS(`#run-stop`))
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 800), stop, stop); err != nil { // the first click asks
		t.Fatal(err)
	}
	wait(`document.querySelector('#run-state .pill').textContent === 'stopped' && document.getElementById('run-stop').hidden && !document.getElementById('run-redrive').hidden`)
	if err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS(`#runs-back`))); err != nil {
		t.Fatal(err)
	}
	wait(`document.querySelectorAll('#run-rows tr').length >= 1`)
	view("runs-light", 1280, 800, "light")
}
