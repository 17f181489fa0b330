package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"inspector"
	"inspector/camera"
	"inspector/classify"
	"inspector/notify"
	"inspector/store"
	"inspector/web"
	"inspector/workflow"
	"inspector/workflow/temporal"
)

func runCommand(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	c, err := configured("run", "Runs the appliance until it is interrupted. Without FILE it inspects a simulated line.", args, env, stderr)
	if err != nil {
		return err
	}
	if env("GOGC") == "" {
		debug.SetGCPercent(50) // the box is small: 25 MB less for about 0.5 % of a core
	}
	return run(ctx, c, stdout, logger(c.Log, stderr))
}

func logger(c LogConfig, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // the configuration was checked
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// run is the whole appliance. It returns when ctx has ended and everything it
// started has, or with the reason why it cannot go on.
func run(ctx context.Context, c Config, stdout io.Writer, log *slog.Logger) (err error) {
	a := works{config: c, log: log, started: time.Now(), functions: functions{}}
	defer func() { err = errors.Join(err, a.close()) }()
	classify.SetThreads(1) // the model has the other cores
	if err := background(); err != nil {
		log.Warn("the model has no precedence over other work", "err", err)
	}
	for _, step := range []func(context.Context) error{a.open, a.connect, a.assemble} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return a.operate(ctx, stdout)
}

// works are the parts of the appliance, in the order in which they are made.
type works struct {
	config  Config
	log     *slog.Logger
	started time.Time
	closers []func() error // of what is open, in the order of opening

	judges    *judges
	disk      *store.Store
	guard     *guard
	pacer     *pacer
	up        keeper
	outside   *outside
	topics    notify.Topics
	camera    *camera.Camera
	engine    *workflow.Engine
	functions functions        // what a definition written for AWS finds here
	machine   string           // hash of the shipped definition
	cluster   *temporal.Client // nil: the engine drives executions to their end
	worker    *temporal.Worker // for the cluster
	handed    string           // machine that hands over to the cluster
	broker    *notify.Broker   // nil: another program's
	client    *notify.Client
	events    *events
	beside    *shadow
	page      *web.Server
	url       string // of the page
	line      *line
	watch     *watchman
	edge      *edge // nil: no Sparkplug
	reporter  *reporter
	shake     *handshake
	orders    *orders
}

func (a *works) close() (err error) {
	for _, end := range slices.Backward(a.closers) {
		err = errors.Join(err, end())
	}
	return err
}

// open opens what is on this machine: the disk and the models. A second
// appliance ends before it loads and proves any.
func (a *works) open(ctx context.Context) (err error) {
	if a.disk, err = store.Open(ctx, a.config.Data, a.config.Station.Device); err != nil {
		return err
	}
	a.closers = append(a.closers, a.disk.Close)
	if err := a.config.vacant(); err != nil {
		return err
	}
	if a.judges, err = openJudges(ctx, a.config, nil); err != nil {
		return err
	}
	a.closers = append(a.closers, a.judges.Close)
	a.judges.tell(a.config, a.log)
	if err := a.judges.settle(); err != nil {
		return err
	}
	if a.engine, a.events, err = openEngine(ctx, a.config, a.disk, a.functions, a.log); err != nil {
		return err
	}
	a.machine, err = a.engine.Ship(ctx, workflow.InspectionMachine, workflow.Inspection)
	return err
}

// connect makes what is at the other end of a wire: upstream, camera, broker.
func (a *works) connect(context.Context) (err error) {
	up, closeUpstream, err := openUpstream(a.config)
	if err != nil {
		return err
	}
	a.up = up
	a.closers = append(a.closers, func() error { closeUpstream(); return nil })
	if a.topics, err = notify.TopicsOf(a.config.MQTT.Root, a.config.Station); err != nil {
		return err
	}
	if a.camera, err = camera.New(cameraConfig(a.config, a.judges.simulation), a.log); err != nil {
		return err
	}
	if a.outside, err = openOutside(a.config); err != nil {
		return err
	}
	a.closers = append(a.closers, func() error { a.outside.http.Close(); return nil })
	a.broker, a.client, err = openMessaging(a.config, a.topics, a.log)
	return err
}

// assemble makes the line and its page, and ends what the last stop left open.
func (a *works) assemble(ctx context.Context) error {
	c := a.config
	a.guard = newGuard(a.disk, c.Disk, a.log)
	a.guard.look(ctx, time.Now())
	a.beside = newShadow(a.judges, a.disk, c.Model.ShadowKeep, a.guard.least(), a.log)
	targets := targetsOf(c, a.events.rules, a.events.functions, a.outside.connections, a.outside.names())
	a.pacer = newPacer(append(targets, channelTargets(a.events.channels)...), a.disk, a.engine)
	health, err := newHealth(ctx, c, a.started, a.camera, a.judges, a.disk, a.client, a.engine, a.guard, a.pacer)
	if err != nil {
		return err
	}
	if err := a.join(ctx); err != nil {
		return err
	}
	everywhere := executions{a.engine, a.cluster, a.handed}
	back := &backend{store: a.disk, engine: everywhere, judges: a.judges, shadow: a.beside, told: a.events}
	if err := a.show(health, back, newStatesAPI(everywhere, a.disk, &parked{a.disk, everywhere, a.pacer.targets}, a.log)); err != nil {
		return err
	}
	for _, r := range a.registrars() {
		(&tasks{store: a.disk, mqtt: a.client, upstream: a.up, page: a.url, uploads: c.Upstream.S3.Parallel}).register(r)
		a.outside.register(r)
	}
	a.outside.separate(a.functions.of(a.engine))
	arrange(a.engine, c.Upstream.Rate)
	if err := a.tell(back); err != nil {
		return err
	}
	to := &sinks{config: c, mqtt: a.client, keeper: a.up, engine: a.engine, invoked: a.events.invoked}
	if err := a.events.handle(to); err != nil {
		return err
	}
	a.closers = append(a.closers, to.close)
	a.judges.changed = a.events.modelChanged
	a.events.recall(ctx, a.judges.registry.Changes(), time.Now())
	a.edge = newEdge(c, toBroker(c, a.broker), health.Status, a.log)
	a.line = newLine(&line{
		camera: a.camera, judges: a.judges, store: a.disk, station: c.Station, log: a.log,
		begin: a.begin, wake: a.engine.Wake, seen: both(both(show(a.page, a.started, a.log), a.beside.offer), both(a.events.judged, a.edge.judged)),
		room: a.guard, mode: c.Trigger, passes: c.Evidence.Passes, quality: c.Evidence.Quality, sessions: c.Model.boards(),
	})
	back.line, health.line, health.broker, health.shadow, health.edge = a.line, a.line, a.broker, a.beside, a.edge
	a.speak(health, back)
	a.watch = &watchman{health: health, tell: a.events.tell}
	return errors.Join(a.line.recallPause(ctx), a.line.recover(ctx))
}

// speak makes what tells subscribers how the line is, and takes their orders.
func (a *works) speak(h *health, back *backend) {
	a.reporter = newReporter(&reporter{
		config: a.config.MQTT, topics: a.topics, publish: a.client.Publish, since: a.client.Since, status: h.Status, client: a.config.messaging(a.topics).ClientID,
		page: a.url, log: a.log,
	})
	a.events.watching = a.reporter.changed
	a.shake = newHandshake(&handshake{config: a.config.MQTT.Handshake, topics: a.topics, publish: a.client.Publish, since: a.client.Since, unable: h.unable, log: a.log})
	a.orders = &orders{line: a.line, desk: back, shake: a.shake, announce: a.page.Announce, client: a.client, topics: a.topics, page: a.url, log: a.log}
}

// tell makes the channels to people.
func (a *works) tell(back *backend) error {
	c, err := openChannels(a.events, a.disk, a.config.Station, a.url)
	if err != nil {
		return err
	}
	a.closers = append(a.closers, c.close)
	c.picture = func(ctx context.Context, id string) (io.ReadSeekCloser, inspector.Blob, error) {
		return back.Evidence(ctx, id, "overlay")
	}
	c.register(a.engine)
	if a.worker != nil {
		c.serve(a.worker)
	}
	return nil
}

// show makes the page, which listens already.
func (a *works) show(health *health, back *backend, states *statesAPI) error {
	token, err := readSecret(a.config.Web.TokenFile)
	if err != nil {
		return err
	}
	a.page = web.New(web.Options{
		Listen: a.config.Web.Listen, Token: token, Wait: a.config.Trigger.Takt + 5*time.Second,
		Status: health, Archive: back, Line: back, Desk: back, Executions: back, Graphs: back, Parked: states.parked, States: states, Registry: back, Recipes: back, Shadows: back,
		Tailer: &a.events.bus, Functions: a.events, Log: a.log,
	})
	address, err := a.page.Listen()
	if err == nil {
		a.url = cmp.Or(a.config.Web.URL, "http://"+address.String())
	}
	return err
}

// operate runs the parts until ctx ends. What delivers outlives what produces:
// first the line, the engine and the page stop, then the client says goodbye,
// then the broker closes.
func (a *works) operate(ctx context.Context, stdout io.Writer) error {
	g, ctx := errgroup.WithContext(ctx)
	a.orders.subscribe()
	stopBroker := func() error { return nil }
	if a.broker != nil {
		address := a.broker.Addr().(*net.TCPAddr)
		stopBroker = outlive(ctx, g, func(ctx context.Context) error { return keepBroker(ctx, a.broker, a.log) })
		fmt.Fprintf(stdout, "broker  tcp://%s  (mosquitto_sub -h 127.0.0.1 -p %d -t '%s/#' -v)\n", address, address.Port, a.config.MQTT.Root)
	}
	stopClient := outlive(ctx, g, a.client.Run)
	fmt.Fprintf(stdout, "data    %s\npage    %s\n", a.config.Data, a.url)
	for _, part := range []func(context.Context) error{
		a.page.Run, a.camera.Run, a.guard.Run, a.pacer.Run, a.watch.Run, a.reporter.Run, a.shake.Run, afterwards(a.client.Tried(), a.engine.Run), a.work, a.line.Run, a.beside.Run, a.edge.Run,
		func(ctx context.Context) error {
			return sweep(ctx, a.disk, a.guard, a.config.Evidence.Keep, a.config.Workflow.Keep, a.log)
		},
	} {
		g.Go(func() error { return part(ctx) })
	}
	err := g.Wait()
	a.orders.answering.Wait()
	err = errors.Join(err, stopClient(), stopBroker())
	a.log.Info("stopped")
	return err
}
