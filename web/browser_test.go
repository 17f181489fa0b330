package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// browser opens a real one, on an empty page.
func browser(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium-headless-shell", "chromium", "google-chrome", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		if os.Getenv("INSPECTOR_REQUIRE_TOOLS") == "1" {
			t.Fatal("no browser: install chromium-headless-shell")
		}
		t.Skip("no browser: install chromium-headless-shell to try the page")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-domain-reliability", true), chromedp.Flag("no-proxy-server", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses its sandbox to root
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	ctx, end := chromedp.NewExecAllocator(ctx, options...)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(func() { closeTab(); end(); cancel() })
	view(t, ctx, 1280, 800, "light")
	return ctx
}

func view(t *testing.T, ctx context.Context, width, height int64, scheme string) {
	t.Helper()
	do(t, ctx, chromedp.EmulateViewport(width, height), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	}))
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// until waits for the page to make the expression true.
func until(t *testing.T, ctx context.Context, expression string) {
	t.Helper()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool]("Boolean("+expression+")", chromedp.WithPollingTimeout(15*time.Second))); err != nil {
		body, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
		t.Fatalf("never true: %s: %v\nthe page says:\n%s", expression, err, body)
	}
}

// shoot keeps a picture of the page for people, if INSPECTOR_SCREENSHOTS names a folder.
func shoot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	dir := os.Getenv("INSPECTOR_SCREENSHOTS")
	if dir == "" {
		return
	}
	shot, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), shot, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestPageWithoutAnything(t *testing.T) {
	s := start(t, nil)
	s.set(func(st *Status) { *st = Status{Started: time.Now()} })
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(s.url))
	until(t, ctx, `document.body.className === 'online'`)
	until(t, ctx, `document.getElementById('verdict').innerText.includes('for the first board')`)
	until(t, ctx, `!document.getElementById('not-ready').hidden && document.getElementById('not-ready').innerText.includes('camera')`)
	until(t, ctx, `document.getElementById('n-yield').textContent === '–'`)
	until(t, ctx, `document.getElementById('no-rows').textContent === 'No verdicts yet'`)
	shoot(t, ctx, "empty")
	// Until the answer is there, the page does not say that there is nothing.
	if page := loaded(t, s.url); !strings.Contains(page, "Loading") || strings.Contains(page, "first board") || strings.Contains(page, "No verdicts") {
		t.Errorf("before anything is loaded: %s", page)
	}
}

func TestPageFollowsTheLine(t *testing.T) {
	s := start(t, nil)
	ctx := browser(t)
	do(t, ctx, chromedp.Navigate(s.url))
	until(t, ctx, `document.body.className === 'online'`)
	for n := range 9 {
		judgeOne(t, s, pcb(t, n%4 == 1, n), fmt.Sprintf("PCB-%05d", 4711+n))
	}
	judgeOne(t, s, dark(t), "PCB-04720")
	until(t, ctx, `document.getElementById('word').textContent === 'Unsure'`)
	judgeOne(t, s, pcb(t, true, 2), `<img src=x onerror="document.title='owned'">`)

	until(t, ctx, `document.getElementById('word').textContent === 'Fail' && document.getElementById('verdict').className === 'fail'`)
	until(t, ctx, `document.getElementById('reason').textContent.includes('spurious copper')`)
	until(t, ctx, `document.getElementById('live').naturalWidth === 640 && document.querySelectorAll('#live-boxes .box').length === 1`)
	until(t, ctx, `document.getElementById('n-fail').textContent === '3' && document.getElementById('n-yield').textContent === '63.6 %'`)
	until(t, ctx, `document.querySelectorAll('#rows tr').length === 11 && document.querySelector('#rows button').textContent.startsWith('<img')`)
	until(t, ctx, `document.querySelectorAll('#rows img').length === 0 && document.title.startsWith('Fail')`)
	shoot(t, ctx, "light")
	view(t, ctx, 1280, 800, "dark")
	shoot(t, ctx, "dark")
	view(t, ctx, 390, 844, "light")
	until(t, ctx, `document.documentElement.scrollWidth <= 390`)
	shoot(t, ctx, "phone")
	view(t, ctx, 1280, 800, "light")

	judgeOne(t, s, pcb(t, false, 3), "PCB-04730")
	until(t, ctx, `document.getElementById('word').textContent === 'Pass'`)
	shoot(t, ctx, "pass")
}

// judgeOne sends a picture as a controller on this machine does.
func judgeOne(t *testing.T, s site, picture []byte, serial string) {
	t.Helper()
	if code, _, body := s.ask(t, "POST", "/api/v1/inspections", string(picture), "Content-Type", "image/jpeg", "X-Serial", serial); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
}

func TestPageDecides(t *testing.T) {
	s := start(t, nil)
	ctx := browser(t)
	judgeOne(t, s, pcb(t, true, 1), "PCB-1")
	judgeOne(t, s, pcb(t, false, 1), "PCB-2")
	do(t, ctx, chromedp.Navigate(s.url))
	until(t, ctx, `document.querySelectorAll('#rows tr').length === 2 && document.getElementById('word').textContent === 'Pass'`)
	do(t, ctx, chromedp.Click(chromedp.CSS(`#rows tr:nth-child(2) button`)))
	until(t, ctx, `document.getElementById('board').open && document.getElementById('still').naturalWidth === 640`)
	until(t, ctx, `document.querySelectorAll('#still-boxes .box').length === 1 && document.getElementById('defect-rows').innerText.includes('spurious copper')`)
	until(t, ctx, `document.getElementById('board-facts').innerText.includes('-2.1 px to the right, 0.5 px down, turned 0.25°, copper narrower by 1.0 px at each edge')`)
	shoot(t, ctx, "board")
	view(t, ctx, 390, 844, "dark")
	shoot(t, ctx, "board-phone")
	view(t, ctx, 1280, 800, "light")
	do(t, ctx, chromedp.SendKeys(chromedp.CSS(`#by`), "Ana Horvat"), chromedp.Click(chromedp.CSS(`#acknowledge`)))
	until(t, ctx, `document.getElementById('seen').innerText.includes('Seen by Ana Horvat') && document.getElementById('acknowledge').hidden`)
	if r, err := s.Inspection(t.Context(), "aoi_1-5eed0001-1"); err != nil || r.Acknowledged == nil || r.Acknowledged.By != "Ana Horvat" || r.Disposition != nil {
		t.Errorf("stored %+v, %v", r, err)
	}
	do(t, ctx, chromedp.SendKeys(chromedp.CSS(`#note`), "scratch, not copper"),
		chromedp.Click(chromedp.CSS(`.b-release`)))
	until(t, ctx, `document.getElementById('decided').innerText.includes('release (false call) by Ana Horvat')`)
	until(t, ctx, `document.getElementById('decide').hidden`)
	shoot(t, ctx, "decided")
	until(t, ctx, `document.querySelector('#rows tr:nth-child(2) .chip').textContent === 'release'`)
	r, err := s.Inspection(t.Context(), "aoi_1-5eed0001-1")
	if err != nil || r.Disposition == nil || r.Disposition.Decision != "release" || r.Disposition.By != "Ana Horvat" || r.Disposition.Note != "scratch, not copper" {
		t.Errorf("stored %+v, %v", r.Disposition, err)
	}
	do(t, ctx, chromedp.KeyEvent("\x1b"))
	until(t, ctx, `!document.getElementById('board').open`)
	do(t, ctx, chromedp.Click(chromedp.CSS(`#rows tr:nth-child(1) button`)))
	until(t, ctx, `document.getElementById('board').open && document.getElementById('decide').hidden`) // a pass needs no decision
}

func TestPageKnowsThatItIsOld(t *testing.T) {
	ctx := browser(t)
	b := newBackend()
	life, stop := context.WithCancel(t.Context())
	s := site{backend: b, log: &safeBuffer{}}
	o := Options{Listen: "127.0.0.1:0", Status: b, Archive: b, Line: b, Desk: b, Executions: b, Graphs: b, Parked: b, States: b, Registry: b, Recipes: b, Shadows: b, Log: discard()}
	b.server = New(o)
	addr, err := b.server.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- b.server.Run(life) }()
	s.url = "http://" + addr.String()
	judgeOne(t, s, pcb(t, false, 1), "PCB-1")
	do(t, ctx, chromedp.Navigate(s.url))
	until(t, ctx, `document.getElementById('word').textContent === 'Pass'`)
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	until(t, ctx, `document.body.className === 'lost' && !document.getElementById('lost').hidden`)
	until(t, ctx, `document.getElementById('verdict').className === 'waiting' && document.getElementById('word').textContent === 'No connection'`) // an old pass is no pass
	shoot(t, ctx, "lost")

	o.Listen = addr.String()
	o.Status, o.Archive = b, b
	b.server = New(o)
	life, stop = context.WithCancel(t.Context())
	defer stop()
	go func() { ended <- b.server.Run(life) }()
	until(t, ctx, `document.body.className === 'online' && document.getElementById('lost').hidden && document.getElementById('word').textContent === 'Pass'`)
	judgeOne(t, s, pcb(t, true, 1), "PCB-2")
	until(t, ctx, `document.getElementById('word').textContent === 'Fail'`)
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// loaded is the page as the server sends it.
func loaded(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestPageShowsExecutions(t *testing.T) {
	s := start(t, nil)
	ctx := browser(t)
	judgeOne(t, s, pcb(t, true, 1), "PCB-1")
	judgeOne(t, s, pcb(t, false, 1), "PCB-2")
	s.mu.Lock()
	s.parked = true
	s.mu.Unlock()
	do(t, ctx, chromedp.Navigate(s.url))
	until(t, ctx, `document.querySelectorAll('#rows tr').length === 2`)
	do(t, ctx, chromedp.Click(chromedp.CSS(`#runs-open`)))
	until(t, ctx, `document.getElementById('runs').open && document.querySelectorAll('#run-rows tr').length === 2`)
	until(t, ctx, `document.querySelector('#run-rows .pill').textContent === 'parked' && document.querySelector('#run-rows .note').textContent === 'the bucket does not exist'`)
	shoot(t, ctx, "executions")
	do(t, ctx, chromedp.Click(chromedp.CSS(`#run-rows tr:nth-child(2) button`)))
	until(t, ctx, `document.getElementById('run-graph').naturalWidth === 300 && document.querySelectorAll('#run-events tr').length === 1`)
	until(t, ctx, `!document.getElementById('run-redrive').hidden && !document.getElementById('run-stop').hidden`)
	do(t, ctx, chromedp.Click(chromedp.CSS(`#run-redrive`)))
	until(t, ctx, `document.querySelector('#run-state .pill').textContent === 'in progress' && document.getElementById('run-redrive').hidden`)
	view(t, ctx, 390, 844, "dark")
	until(t, ctx, `document.documentElement.scrollWidth <= 390 && document.getElementById('runs').getBoundingClientRect().right <= 390`)
	shoot(t, ctx, "execution-phone")
	view(t, ctx, 1280, 800, "light")
	do(t, ctx, chromedp.Click(chromedp.CSS(`#runs-back`)))
	until(t, ctx, `document.querySelectorAll('#run-rows tr').length === 2 && document.getElementById('run').hidden`)
	for choice, rows := range map[string]int{"PARKED": 0, "RUNNING": 1, "SUCCEEDED": 1, "FAILED": 0} {
		do(t, ctx, chromedp.SetValue(chromedp.CSS(`#runs-filter`), choice))
		if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.getElementById('runs-filter').dispatchEvent(new Event('change'))`)); err != nil {
			t.Fatal(err)
		}
		until(t, ctx, fmt.Sprintf(`document.querySelectorAll('#run-rows tr').length === %d && document.getElementById('no-runs').textContent !== 'Loading'`, rows))
	}
	if s.redrive != 1 {
		t.Errorf("redriven %d times", s.redrive)
	}
}

// A picture of an execution stands alone, and can do nothing.
func TestGraphIsAPicture(t *testing.T) {
	s := start(t, nil)
	judgeOne(t, s, pcb(t, true, 1), "PCB-1")
	code, h, body := s.ask(t, "GET", "/api/v1/executions/aoi_1-5eed0001-1/graph.svg", "")
	if code != http.StatusOK || h.Get("Content-Type") != "image/svg+xml" || !strings.HasPrefix(body, "<svg") {
		t.Errorf("%d %s %.40s", code, h.Get("Content-Type"), body)
	}
	if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "sandbox") || strings.Contains(csp, "script-src") {
		t.Errorf("it may do: %s", csp)
	}
}
