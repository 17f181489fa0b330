package main

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// The page of a running appliance shows boards being judged. With
// INSPECTOR_PICTURE=FILE it keeps the README's picture of it.
func TestPageShowsTheLine(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		path = tool(t, "chromium-headless-shell")
	}
	a := startAppliance(t, t.TempDir(), "INSPECTOR_CAMERA_PERIOD=700ms", "INSPECTOR_SIMULATED_DEFECT_RATE=0.3")
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 800),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("no-proxy-server", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses its sandbox to root
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ctx, end := chromedp.NewExecAllocator(ctx, options...)
	defer end()
	ctx, closeTab := chromedp.NewContext(ctx)
	defer closeTab()
	wait := func(expression string) {
		t.Helper()
		if _, err := chromedp.Run(ctx, chromedp.Poll[bool]("Boolean("+expression+")", chromedp.WithPollingTimeout(40*time.Second))); err != nil {
			t.Fatalf("never true on the page: %s: %v", expression, err)
		}
	}
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
