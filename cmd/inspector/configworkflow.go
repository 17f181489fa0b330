package main

import (
	"strings"
	"time"

	"inspector/workflow/temporal"
)

// WorkflowConfig says who drives executions, and how long they stay.
type WorkflowConfig struct {
	Engine   string         `yaml:"engine"`
	Keep     time.Duration  `yaml:"keep"` // after their end; 0: for ever
	Temporal TemporalConfig `yaml:"temporal"`
}

// Engines that drive executions.
const (
	engineEmbedded = "embedded"
	engineTemporal = "temporal"
)

// leastKept is how long executions stay at least: nothing is begun again after
// that.
const leastKept = 24 * time.Hour

// TemporalConfig says where the cluster of engine temporal is.
type TemporalConfig struct {
	Address    string `yaml:"address"`
	Namespace  string `yaml:"namespace"`
	TaskQueue  string `yaml:"task_queue"`
	TLS        bool   `yaml:"tls"`
	CAFile     string `yaml:"ca_file"`
	CertFile   string `yaml:"cert_file"`
	KeyFile    string `yaml:"key_file"`
	APIKeyFile string `yaml:"api_key_file"`
}

// cluster is what the client of the cluster needs.
func (c Config) cluster(local []string) temporal.Config {
	k := c.Workflow.Temporal
	return temporal.Config{
		Address: k.Address, Namespace: k.Namespace, TaskQueue: k.TaskQueue, TLS: k.TLS, CAFile: k.CAFile, CertFile: k.CertFile, KeyFile: k.KeyFile,
		APIKeyFile: k.APIKeyFile, Device: c.Station.Device, Local: local,
	}
}

func (c Config) addWorkflowFaults(f *faults) {
	f.oneOf("workflow.engine", c.Workflow.Engine, engineEmbedded, engineTemporal)
	f.want(c.Workflow.Keep == 0 || c.Workflow.Keep >= leastKept, "workflow.keep", "%v is less than %v, for which deliveries are tried; want at least that, or 0 for ever", c.Workflow.Keep, leastKept)
	if c.Workflow.Engine != engineTemporal {
		return
	}
	if err := c.cluster(nil).Validate(); err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			key, what, _ := strings.Cut(line, ": ")
			f.want(false, "workflow.temporal."+key, "%s", what)
		}
	}
}
