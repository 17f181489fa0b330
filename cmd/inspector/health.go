package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"inspector/camera"
	"inspector/notify"
	"inspector/store"
	"inspector/web"
	"inspector/workflow"
)

// health knows how the appliance is. It asks memory and short queries only.
type health struct {
	config  Config
	started time.Time
	camera  *camera.Camera
	judges  *judges
	disk    *store.Store
	client  *notify.Client
	broker  *notify.Broker // the embedded one; nil without
	edge    *edge          // nil without
	line    *line
	shadow  *shadow
	guard   *guard
	pacer   *pacer
	engine  *workflow.Engine
	before  store.Ledger // at the start
}

func newHealth(ctx context.Context, c Config, started time.Time, cam *camera.Camera, j *judges, disk *store.Store, client *notify.Client, engine *workflow.Engine, g *guard, p *pacer) (*health, error) {
	before, err := disk.Ledger(ctx)
	return &health{config: c, started: started, camera: cam, judges: j, disk: disk, client: client, engine: engine, guard: g, pacer: p, before: before}, err
}

// Status may be called from any goroutine.
func (h *health) Status(ctx context.Context) web.Status {
	cam := h.camera.Health()
	id, runtime := h.judges.now("")
	s := web.Status{
		Version: revision, Started: h.started, Station: h.config.Station, Source: cam.Source,
		Recipe: h.judges.name(""), Model: id, Runtime: runtime,
		Frames: web.Frames{Captured: cam.Captured, Dropped: cam.Dropped},
		Parts:  []web.Part{h.cameraPart(cam), h.modelPart(), h.recipePart()},
	}
	if !cam.Last.IsZero() {
		age := cam.Age.Seconds()
		s.Frames.Age = &age
	}
	ledger, err := h.disk.Ledger(ctx)
	if err == nil {
		since := func(now, before int64) uint64 { return uint64(max(now-before, 0)) }
		s.Counts = web.Counts{
			Triggers: since(ledger.Triggers, h.before.Triggers-h.before.InFlight), InFlight: since(ledger.InFlight, 0),
			Pass: since(ledger.Pass, h.before.Pass), Fail: since(ledger.Fail, h.before.Fail), Unsure: since(ledger.Unsure, h.before.Unsure),
		}
	}
	now := time.Now()
	queues, queueErr := h.disk.Queues(ctx, now)
	s.Targets = h.pacer.status(ctx, queues, now)
	parked := 0
	for _, q := range queues {
		s.Lanes = append(s.Lanes, web.Lane{Name: q.Lane, Depth: int(q.Depth), Oldest: q.Oldest.Seconds(), Parked: int(q.Parked)})
		parked += int(q.Parked)
	}
	if err == nil {
		err = queueErr
	}
	s.Disk = h.guard.status()
	s.Parts = append(s.Parts, h.diskPart(err), h.brokerPart())
	s.Parts = append(s.Parts, h.deliveries(h.engine.Troubles())...)
	if p, ok := h.edge.part(); ok {
		s.Parts = append(s.Parts, p)
	}
	if p, ok := h.shadow.part(); ok {
		s.Parts = append(s.Parts, p)
	}
	if held, err := h.engine.Holds(ctx); err == nil && len(held) > 0 {
		s.Parts = append(s.Parts, heldPart(held))
	}
	if p, ok := h.line.pausePart(); ok {
		s.Parts = append(s.Parts, p)
	}
	if parked > 0 {
		s.Parts = append(s.Parts, h.parkedPart(ctx, parked))
	}
	return s
}

// unable says why boards cannot be judged now; empty: they can.
func (h *health) unable() string {
	if p := h.line.paused.Load(); p != nil {
		return p.Error()
	}
	if err := h.guard.admit(); err != nil { // in words that stay the same while it lasts
		return "disk: " + err.Error()
	}
	for _, p := range []web.Part{h.cameraPart(h.camera.Health()), h.modelPart(), h.recipePart(), h.diskPart(nil)} {
		if p.State == web.Down {
			return p.Name + ": " + p.Detail
		}
	}
	return ""
}

func (h *health) cameraPart(c camera.Health) web.Part {
	p := web.Part{Name: "camera", State: web.OK, Detail: string(c.State)}
	switch {
	case c.State == camera.Lost:
		p.State, p.Detail, p.Remedy = web.Down, "lost: "+c.Error, "check its power and cable, and camera.source; it is tried again by itself"
	case c.State == camera.Opening:
		p.State, p.Detail, p.Remedy = web.Down, "not open yet", "wait; if it stays so, check camera.source with inspector doctor"
	case c.State == camera.Ended:
		p.State, p.Detail, p.Remedy = web.Down, "ended: "+c.Error, "restart to begin again"
	}
	return p
}

// modelPart says who judges, and why who was to judge does not.
func (h *health) modelPart() web.Part {
	p := web.Part{Name: "model", State: web.OK, Detail: h.judges.words()}
	refusals := h.judges.refusals()
	if bare := h.judges.unproven(); bare != "" {
		p.State, p.Detail = web.Degraded, p.Detail+"; "+bare+" brings no test vectors, so nobody knows whether this runtime computes it right"
		p.Remedy = "add vectors to the package, as models/README.md says"
	}
	for _, ref := range slices.SortedFunc(maps.Keys(refusals), byName) {
		p.State, p.Detail = web.Degraded, p.Detail+"; "+refusals[ref].Error()
		p.Remedy = "mend the package as the reason says and promote it, or go on with the present one: inspector model rollback " + ref.Name
	}
	return p
}

// recipePart says which recipe judges boards that ask for none, and by whom.
func (h *health) recipePart() web.Part {
	p := web.Part{Name: "recipe", State: web.OK, Detail: h.judges.chosen()}
	if err := h.judges.check(""); err != nil {
		p.State, p.Detail = web.Down, err.Error()+"; boards that ask for no recipe are unsure"
		p.Remedy = "put another in force with inspector recipe use NAME, or put its file back and restart"
	}
	return p
}

// diskPart says how the disk is; err is that the store could not be read.
func (h *health) diskPart(err error) web.Part {
	if trouble := h.line.troubleNow(); trouble != nil {
		err = trouble
	}
	return h.guard.part(h.config.Data, err)
}

func (h *health) brokerPart() web.Part {
	var own notify.BrokerHealth
	if h.broker != nil {
		own = h.broker.Health()
	}
	return brokerPart(h.client.Health(), own)
}

// brokerPart says how messages get out, and what the embedded broker dropped.
func brokerPart(m notify.Health, own notify.BrokerHealth) web.Part {
	p := web.Part{Name: "broker", State: web.OK, Detail: "connected"}
	switch {
	case m.Rival:
		p.State, p.Detail, p.Remedy = web.Degraded, m.LastError, "give each box its own station.device, and restart it; messages wait on the disk meanwhile"
		if !m.Connected {
			p.State = web.Down
		}
	case !m.Connected:
		p.State, p.Detail, p.Remedy = web.Down, "not connected: "+m.LastError, "check the broker and mqtt.broker; messages wait on the disk and go out when it is back"
	case m.LastError != "":
		p.State, p.Detail, p.Remedy = web.Degraded, "connected, but "+m.LastError, "let this client read ROOT/SITE/LINE/DEVICE/set/# and write below ROOT/SITE/LINE/DEVICE"
	case len(m.Retained) > 0:
		p.State, p.Detail = web.Degraded, fmt.Sprintf("connected; the broker retains orders, which are ignored: %s", strings.Join(m.Retained, ", "))
		p.Remedy = "have whoever sends orders not retain them, and remove each: mosquitto_pub -r -n -t TOPIC"
	case own.Dropped > 0:
		p.State, p.Detail = web.Degraded, fmt.Sprintf("connected, but %d messages for subscribers that do not fetch theirs were dropped since the start", own.Dropped)
		p.Remedy = "bring the subscriber back, or have it connect once with a clean session if it is gone for good; what it missed is under /api/v1/inspections; a restart resets the count"
	}
	if words, remedy := turnedAway(own, time.Now()); words != "" && p.State != web.Down {
		p.State, p.Detail = web.Degraded, p.Detail+"; "+words
		p.Remedy = strings.TrimPrefix(p.Remedy+"; "+remedy, "; ")
	}
	return p
}

// turnedAway says what the embedded broker lately did not let in or pass on;
// empty if there was nothing.
func turnedAway(b notify.BrokerHealth, now time.Time) (words, remedy string) {
	var all, remedies []string
	for _, t := range []struct {
		trouble      notify.Trouble
		what, remedy string
	}{
		{b.Denied, "messages or subscriptions denied", "if that client may do it, say so in mqtt.acl_file and restart"},
		{b.Refused, "logins refused", "if it is one of yours, correct its user, password or client id, or mqtt.users_file"},
		{b.Failed, "connections failed before the login", "if it is one of yours, correct its certificate or the one of mqtt.server_cert_file"},
		{b.Held, "messages held back by mqtt.limits", "none is lost; raise mqtt.limits if the client may send that much"},
	} {
		if t.trouble.Times > 0 && now.Sub(t.trouble.At) < lately {
			all = append(all, fmt.Sprintf("%d %s, the last: %s", t.trouble.Times, t.what, t.trouble.Last))
			remedies = append(remedies, t.remedy)
		}
	}
	return strings.Join(all, "; "), strings.Join(remedies, "; ")
}

// lately is how long the broker's part speaks of a client that was turned away.
const lately = 10 * time.Minute

// deliveries tells of upstream and, if they are in trouble, of the other lanes.
func (h *health) deliveries(troubles map[string]workflow.Trouble) []web.Part {
	up := web.Part{Name: "upstream", State: web.OK, Detail: "takes what it is sent"}
	var others []web.Part
	for _, lane := range slices.Sorted(maps.Keys(troubles)) {
		t := troubles[lane]
		p := web.Part{
			Name: lane, State: web.Degraded, Detail: fmt.Sprintf("failing for %v: %v", time.Since(t.Since).Round(time.Second), t.Err),
			Remedy: "everything waits on the disk and goes out when it is taken again; inspector doctor says more",
		}
		switch {
		case lane == putObject || lane == sendMessage:
			p.Name = "upstream"
			up = p
		case (lane == publishAlert || lane == publishResult) && !h.client.Health().Connected: // the broker's part has said it
		default:
			others = append(others, p)
		}
	}
	return append([]web.Part{up}, others...)
}

// heldPart says whose work waits until somebody resumes it.
func heldPart(held []workflow.Hold) web.Part {
	words := make([]string, len(held))
	for i, x := range held {
		what := "paused"
		if x.Drain {
			what = fmt.Sprintf("draining, %d left", x.Left)
		}
		name := x.Machine
		if name == workflow.AllMachines {
			name = "every machine"
		}
		words[i] = fmt.Sprintf("%s is %s since %s by %s", name, what, x.At.Local().Format("2006-01-02 15:04"), cmp.Or(x.By, "somebody"))
	}
	return web.Part{Name: partWorkflow, State: web.Degraded, Detail: strings.Join(words, "; "), Remedy: "work of it waits on the disk; let it go on with inspector workflow resume NAME, or --all"}
}

// partWorkflow is the part that is there while something is held.
const partWorkflow = "workflow"

// parkedPart names the work that no retry helps, and where to begin.
func (h *health) parkedPart(ctx context.Context, n int) web.Part {
	p := web.Part{Name: "deliveries", State: web.Degraded, Detail: fmt.Sprintf("%d refused for good", n), Remedy: "mend what inspector workflow parked says, then inspector workflow parked --redrive --all; files of credentials are read again"}
	if first, _, err := h.disk.Executions(ctx, store.ExecutionFilter{Parked: true, Limit: 1}); err == nil && len(first) > 0 {
		p.Detail += fmt.Sprintf(", the newest in execution %s: %s", first[0].ID, first[0].Parked)
	}
	return p
}
