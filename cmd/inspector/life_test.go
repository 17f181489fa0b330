package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"inspector"
	"inspector/notify"
	"inspector/store"
	"inspector/store/storetest"
	"inspector/upstream"
	"inspector/workflow"
	"inspector/workflow/asl"
)

// tellAll is the rule of every life: all events go to a folder outside of the
// disk that is cut off.
const tellAll = "pattern: {source: [inspector, aws.states]}\ntargets: {world: {folder: %q}}\n"

// lifeOf is the environment of a process that takes one board through the
// shipped workflow with the appliance's own tasks, and ends by accident: its
// value is a JSON life.
const lifeOf = "INSPECTOR_TEST_LIFE"

// A life is what such a process shall do. The diary lies outside of the disk
// that fills up or loses its power: it is what the world has seen.
type life struct {
	Data, Diary, Upstream, Broker string

	Verdict inspector.Verdict
	Cut     string        // the point at which it ends; empty: it lives to the end
	How     string        // kill, fill (the disk, and is killed a moment later) or power
	After   time.Duration // ends by kill -9 after this, wherever it is; 0: not
}

// An accident stands at every journal write and every effect, before and after.
type accident struct {
	life
	diary *os.File

	mu     sync.Mutex
	struck bool
	states map[int64]string // of commands
}

// live is the process.
func live() int {
	a := &accident{states: map[int64]string{}}
	err := json.Unmarshal([]byte(os.Getenv(lifeOf)), &a.life)
	if err == nil {
		a.diary, err = os.OpenFile(a.Diary, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	}
	if err == nil {
		if a.After > 0 {
			time.AfterFunc(a.After, die)
		}
		err = a.board(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// note writes a line that outlives the process: one write, complete or absent.
func (a *accident) note(kind, what string) {
	if _, err := fmt.Fprintf(a.diary, "%s %s\n", kind, what); err != nil {
		panic(err)
	}
}

// at passes a point, or ends there.
func (a *accident) at(point string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.note("point", point)
	if point != a.Cut || a.struck {
		return
	}
	a.struck = true
	switch a.How {
	case "fill":
		ballast(filepath.Join(a.Data, "..", "ballast"))
		time.AfterFunc(300*time.Millisecond, die)
	case "power":
		if err := storetest.CutOff(filepath.Dir(a.Data)); err != nil {
			panic(err)
		}
		die()
	default:
		die()
	}
}

// ballast takes all the room that is left.
func ballast(name string) {
	f, err := os.Create(name)
	if err == nil {
		_, err = io.Copy(f, zeros{})
	}
	if !errors.Is(err, syscall.ENOSPC) {
		panic(err)
	}
}

// A cutJournal is the store with a point before and after every write.
type cutJournal struct {
	*store.Store
	*accident
}

func (j cutJournal) Append(ctx context.Context, all ...workflow.Transition) error {
	what := j.words(all[0])
	j.at("before journalling " + what)
	err := j.Store.Append(ctx, all...)
	if err == nil {
		j.at("after journalling " + what)
	}
	return err
}

// words names a transition the same in every life.
func (a *accident) words(t workflow.Transition) string {
	if t.Execution.Type == workflow.Express {
		return string(t.Event.Kind) + " delivery"
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, w := range t.Begin {
		a.states[w.Command] = strings.TrimSuffix(w.State+" "+map[string]string{workflow.LaneToken: "token", workflow.LaneTimer: "timer"}[w.Lane], " ")
	}
	return string(t.Event.Kind) + " " + a.states[t.Event.Command]
}

// cutHandlers registers with the engine what stands between two points.
type cutHandlers struct {
	*workflow.Engine
	*accident
}

func (c cutHandlers) Handle(resource string, concurrency int, h workflow.Handler) {
	c.Engine.Handle(resource, concurrency, c.handler(h))
}

func (a *accident) handler(h workflow.Handler) workflow.Handler {
	return func(ctx context.Context, task workflow.Task) (json.RawMessage, error) {
		a.at("before doing " + task.State)
		a.note("begun", task.Key)
		out, err := h(ctx, task)
		if err == nil {
			a.note("done", task.Key)
			a.at("after doing " + task.State)
		}
		return out, err
	}
}

// board takes the board from its acceptance, unless an earlier life did, to
// the end of its execution. A person decides at once.
func (a *accident) board(ctx context.Context) error {
	disk, err := store.Open(ctx, a.Data, "aoi_1")
	if err != nil {
		return err
	}
	defer disk.Close()
	log := slog.New(slog.DiscardHandler)
	c := defaults()
	c.Upstream.Bucket, c.Upstream.Prefix, c.Upstream.QueueURL = "boards", "b", "results"
	c.Upstream.Passes = true
	c.Events.Rules, c.Events.Functions = filepath.Join(filepath.Dir(a.Diary), "rules"), ""
	told, err := newEvents(c, log)
	if err != nil {
		return err
	}
	engine := workflow.New(cutJournal{disk, a}, log, workflow.Options{Emit: told.emit})
	if err := told.deploy(ctx, engine); err != nil {
		return err
	}
	machine, err := engine.Deploy(ctx, workflow.Inspection)
	if err != nil {
		return err
	}
	up, err := upstream.NewFolder(upstream.FolderConfig{Dir: a.Upstream, Bucket: "boards", Queue: "results"})
	if err != nil {
		return err
	}
	client := notify.NewClient(notify.Config{URL: a.Broker, ClientID: "life"}, log)
	(&tasks{store: disk, mqtt: client, upstream: up}).register(cutHandlers{engine, a})

	to := &sinks{config: c, mqtt: client, keeper: up, engine: engine}
	if err := told.handle(to); err != nil {
		return err
	}
	defer to.close()

	running, stop := context.WithCancel(ctx)
	var parts sync.WaitGroup
	defer parts.Wait()
	defer stop()
	parts.Go(func() { _ = client.Run(running) })
	<-client.Tried()
	id, err := a.accept(ctx, disk, func(i inspector.Inspection) ([]workflow.Transition, error) {
		all, err := begin(engine, machine, c, notify.Topics{Result: "b/result", Alert: "b/alert"}, i)
		if err == nil {
			a.words(all[0])
		}
		return append(all, told.prepare(i)...), err
	})
	if err != nil {
		return err
	}
	parts.Go(func() { _ = engine.Run(running) })
	if err := a.untilEnded(ctx, engine, id); err != nil {
		return err
	}
	return untilTold(ctx, disk)
}

// accept gives the board that an earlier life accepted, or a new one.
func (a *accident) accept(ctx context.Context, disk *store.Store, begin func(inspector.Inspection) ([]workflow.Transition, error)) (string, error) {
	known, err := disk.Inspections(ctx, store.Filter{})
	if err != nil {
		return "", err
	}
	if len(known) > 0 {
		return known[0].ID, nil
	}
	i := inspector.Inspection{ID: disk.NextID().String(), Seq: 1, At: time.Now().UTC(), Recipe: "main", Model: "m/1@00", Verdict: a.Verdict, Reason: "test", Width: 640, Height: 640}
	a.at("before accepting")
	i, err = disk.Accept(ctx, i, []store.Evidence{{Kind: "image", Type: "image/png", Data: []byte(picture)}}, begin)
	if err != nil {
		if a.struck { // the disk is full
			select {}
		}
		return "", err
	}
	a.note("accepted", i.ID)
	a.at("after accepting")
	return i.ID, nil
}

// untilTold waits for the deliveries of events.
func untilTold(ctx context.Context, disk *store.Store) error {
	for {
		open, _, err := disk.Executions(ctx, store.ExecutionFilter{Status: string(asl.StatusRunning)})
		if err != nil || len(open) == 0 {
			return err
		}
		if open[0].Parked != "" {
			return fmt.Errorf("delivery %s is parked: %s", open[0].ID, open[0].Parked)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// picture is a small one: its defects are drawn on it.
var picture = func() string {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 32, 32))); err != nil {
		panic(err)
	}
	return b.String()
}()

func (a *accident) untilEnded(ctx context.Context, engine *workflow.Engine, id string) error {
	for {
		x, err := engine.Describe(ctx, id)
		switch {
		case err != nil:
			return err
		case x.Status == asl.StatusSucceeded:
			return nil
		case x.Status != asl.StatusRunning || x.Parked != "":
			return fmt.Errorf("the execution ended %s %s %s, parked %q", x.Status, x.Error, x.Cause, x.Parked)
		case len(x.Work) == 1 && x.Work[0].Lane == workflow.LaneToken:
			if token, err := engine.Token(ctx, id, "WaitForDisposition"); err == nil {
				decision, _ := json.Marshal(inspector.Disposition{Decision: "scrap", By: "q", At: time.Now().UTC()})
				if err := engine.SendTaskSuccess(ctx, token, decision); err != nil && !errors.Is(err, workflow.ErrTaskClosed) && !a.struck {
					return err
				}
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
}
