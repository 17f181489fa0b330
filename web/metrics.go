package web

import (
	"runtime"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"inspector"
)

// metrics are what only events can tell; the rest is read from the status.
type metrics struct {
	registry *prometheus.Registry
	verdicts *prometheus.CounterVec
	stages   *prometheus.HistogramVec

	mu      sync.Mutex
	recipes map[string]bool
}

// maxRecipes bounds the label: an asker can name any recipe.
const maxRecipes = 100

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "inspector_verdicts_total", Help: "Verdicts given, by verdict and recipe.",
		}, []string{"verdict", "recipe"}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "inspector_stage_duration_seconds", Help: "Time that each stage of one board took.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"stage"}),
		recipes: map[string]bool{},
	}
	m.registry.MustRegister(m.verdicts, m.stages, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) count(i inspector.Inspection) {
	m.verdicts.WithLabelValues(string(i.Verdict), m.recipe(i.Recipe)).Inc()
	for stage, took := range map[string]time.Duration{
		"wait": i.Timings.Wait, "prepare": i.Timings.Prepare, "infer": i.Timings.Infer, "decode": i.Timings.Decode, "store": i.Timings.Store,
	} {
		if took > 0 { // else the board never came that far
			m.stages.WithLabelValues(stage).Observe(took.Seconds())
		}
	}
}

func (m *metrics) recipe(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.recipes[name] {
		if len(m.recipes) >= maxRecipes {
			return "other"
		}
		m.recipes[name] = true
	}
	return name
}

// getMetrics gives the events' metrics and a view of the status of this moment.
func (s *Server) getMetrics(c *gin.Context) {
	now := prometheus.NewRegistry()
	now.MustRegister(snapshot{s.status(c.Request.Context()), s.hub.count()})
	promhttp.HandlerFor(prometheus.Gatherers{s.metrics.registry, now}, promhttp.HandlerOpts{ErrorLog: quiet(s.opt.Log)}).
		ServeHTTP(c.Writer, c.Request)
}

// snapshot is a status as metrics.
type snapshot struct {
	report
	readers int
}

// Describe says nothing beforehand: lanes and parts come and go.
func (snapshot) Describe(chan<- *prometheus.Desc) {}

// Collect sends each number of the status.
func (s snapshot) Collect(ch chan<- prometheus.Metric) {
	send := func(kind prometheus.ValueType, name, help string, v float64, labels ...string) {
		var names, values []string
		for i := 0; i+1 < len(labels); i += 2 {
			names, values = append(names, labels[i]), append(values, labels[i+1])
		}
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc("inspector_"+name, help, names, nil), kind, v, values...)
	}
	gauge := prometheus.GaugeValue
	send(prometheus.CounterValue, "frames_captured_total", "Frames that the camera delivered.", float64(s.Frames.Captured))
	send(prometheus.CounterValue, "frames_dropped_total", "Frames that were replaced by newer ones before they were judged.", float64(s.Frames.Dropped))
	send(prometheus.CounterValue, "triggers_total", "Verdicts asked for.", float64(s.Counts.Triggers))
	send(gauge, "in_flight_boards", "Boards whose verdict is not given yet.", float64(s.Counts.InFlight))
	if s.Frames.Age != nil {
		send(gauge, "camera_frame_age_seconds", "Age of the newest frame.", *s.Frames.Age)
	}
	send(gauge, "disk_free_bytes", "Free space on the disk of the store.", float64(s.Disk.Free))
	send(gauge, "disk_size_bytes", "Size of the disk of the store.", float64(s.Disk.Total))
	s.collectDisk(send)
	send(gauge, "event_streams", "Pages that are open.", float64(s.readers))
	send(gauge, "ready", "1 if model, camera and disk allow verdicts.", one(s.Ready))
	send(gauge, "start_time_seconds", "When the appliance started, in seconds since 1970.", float64(s.Started.UnixMilli())/1000)
	send(gauge, "build_info", "1; the labels say what runs.", 1, "version", s.Version, "go_version", runtime.Version())
	for _, l := range s.Lanes {
		send(gauge, "queue_depth", "Work that waits in the lane.", float64(l.Depth), "lane", l.Name)
		send(gauge, "queue_oldest_age_seconds", "Age of the work that waits longest in the lane.", l.Oldest, "lane", l.Name)
		send(gauge, "queue_parked", "Executions of the lane that wait for a person.", float64(l.Parked), "lane", l.Name)
	}
	s.collectTargets(send)
	for _, p := range s.Parts {
		send(gauge, "part_up", "1 if the part works.", one(p.State == OK || p.State == Degraded), "part", p.Name)
		send(gauge, "part_degraded", "1 if the part works, but somebody should look.", one(p.State == Degraded), "part", p.Name)
		if p.Name == "broker" {
			send(gauge, "mqtt_connected", "1 if the broker is connected.", one(p.State == OK || p.State == Degraded))
		}
	}
}

// A sender sends one number with its labels: name, value, name, value.
type sender func(kind prometheus.ValueType, name, help string, v float64, labels ...string)

func (s snapshot) collectDisk(send sender) {
	const gauge = prometheus.GaugeValue
	for level, name := range []string{"ok", "warn", "stop-passes", "stop-triggers"} {
		if name == s.Disk.Level {
			send(gauge, "disk_level", "What is given up for want of room: 0 nothing, 1 warning, 2 pictures of passes, 3 all boards.", float64(level))
		}
	}
	for name, below := range map[string]uint64{"warn": s.Disk.Warn, "stop-passes": s.Disk.StopPasses, "stop-triggers": s.Disk.StopTriggers} {
		send(gauge, "disk_watermark_bytes", "Less free space is this level.", float64(below), "level", name)
	}
	send(gauge, "disk_reserve_bytes", "Held back for a full disk.", float64(s.Disk.Reserve))
	send(prometheus.CounterValue, "triggers_refused_total", "Triggers that were refused for want of room: they are not in the ledger.", float64(s.Disk.Refused))
}

func (s snapshot) collectTargets(send sender) {
	const gauge = prometheus.GaugeValue
	for _, t := range s.Targets {
		send(gauge, "target_depth", "Work that waits for the target, parked work aside.", float64(t.Depth), "target", t.Name)
		send(gauge, "target_parked", "Work that the target refused for good.", float64(t.Parked), "target", t.Name)
		send(gauge, "target_oldest_age_seconds", "Age of the work that waits longest for the target.", t.Oldest, "target", t.Name)
		send(gauge, "target_rate", "Delivered per second in the last minute.", t.Rate, "target", t.Name)
		if t.Drain != nil {
			send(gauge, "target_drain_seconds", "Until nothing waits for the target; absent while its queue does not get shorter.", *t.Drain, "target", t.Name)
		}
		send(prometheus.CounterValue, "target_delivered_total", "Delivered to the target.", float64(t.Delivered), "target", t.Name)
		send(gauge, "target_failing", "1 while the target takes nothing.", one(t.State == TargetFailing), "target", t.Name)
	}
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
