package main

import (
	"strings"

	"inspector/workflow/temporal"
)

// WorkflowConfig says who drives executions.
type WorkflowConfig struct {
	Engine   string         `yaml:"engine"`
	Temporal TemporalConfig `yaml:"temporal"`
}

// Engines that drive executions.
const (
	engineEmbedded = "embedded"
	engineTemporal = "temporal"
)

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
