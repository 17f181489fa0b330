package main

import (
	"path/filepath"
	"time"

	"inspector/notify"
)

// MQTTConfig says where messages go, and how the embedded broker is reached.
type MQTTConfig struct {
	Broker       string `yaml:"broker"`
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
	CAFile       string `yaml:"ca_file"`
	CertFile     string `yaml:"cert_file"`
	KeyFile      string `yaml:"key_file"`
	Root         string `yaml:"root"`

	StatsEvery time.Duration   `yaml:"stats_every"`
	Executions bool            `yaml:"executions"`
	Handshake  HandshakeConfig `yaml:"handshake"`

	Listen           string       `yaml:"listen"`
	ListenTLS        string       `yaml:"listen_tls"`
	ListenWebSocket  string       `yaml:"listen_websocket"`
	WebSocketOrigins []string     `yaml:"websocket_origins"`
	Plain            bool         `yaml:"plain"`
	ServerCertFile   string       `yaml:"server_cert_file"`
	ServerKeyFile    string       `yaml:"server_key_file"`
	ClientCAFile     string       `yaml:"client_ca_file"`
	UsersFile        string       `yaml:"users_file"`
	ACLFile          string       `yaml:"acl_file"`
	Limits           BrokerLimits `yaml:"limits"`

	Sparkplug SparkplugConfig `yaml:"sparkplug"`
}

// SparkplugConfig says whether the appliance is an edge node of Sparkplug, and
// which.
type SparkplugConfig struct {
	Enabled bool   `yaml:"enabled"`
	Group   string `yaml:"group"`
	Node    string `yaml:"node"`
	Device  string `yaml:"device"`
	Host    string `yaml:"host"`
}

// HandshakeConfig says what the line's controller and the appliance owe each other.
type HandshakeConfig struct {
	Heartbeat   time.Duration `yaml:"heartbeat"`
	Acknowledge time.Duration `yaml:"acknowledge"`
	Beat        time.Duration `yaml:"beat"`
	Plain       bool          `yaml:"plain"`
}

// BrokerLimits are the embedded broker's, for its clients.
type BrokerLimits struct {
	Clients  int `yaml:"clients"`
	Packet   int `yaml:"packet"`
	Queue    int `yaml:"queue"`
	Inflight int `yaml:"inflight"`
	Messages int `yaml:"messages"`
	Bytes    int `yaml:"bytes"`
}

func defaultMQTT() MQTTConfig {
	return MQTTConfig{
		Broker: embeddedBroker, Listen: "127.0.0.1:1883", Root: "inspector", WebSocketOrigins: []string{},
		StatsEvery: 10 * time.Second, Executions: true, Handshake: HandshakeConfig{Beat: time.Second},
		Sparkplug: SparkplugConfig{Device: "inspection"},
		Limits:    BrokerLimits{Clients: 256, Packet: 2 * notify.MaxPayload, Queue: 8192, Inflight: 1024},
	}
}

// embeddedBroker is the address of the one inside this program.
const embeddedBroker = "embedded"

// messaging is what the MQTT client needs.
func (c Config) messaging(topics notify.Topics) notify.Config {
	return notify.Config{
		URL: c.MQTT.Broker, ClientID: "inspector-" + c.Station.Device, Availability: topics.Availability,
		Username: c.MQTT.Username, PasswordFile: c.MQTT.PasswordFile, CAFile: c.MQTT.CAFile, CertFile: c.MQTT.CertFile, KeyFile: c.MQTT.KeyFile,
	}
}

// broker is what the embedded broker needs.
func (c Config) broker() notify.BrokerConfig {
	m := c.MQTT
	return notify.BrokerConfig{
		Listen: m.Listen, ListenTLS: m.ListenTLS, ListenWebSocket: m.ListenWebSocket, Origins: m.WebSocketOrigins, Plain: m.Plain,
		CertFile: m.ServerCertFile, KeyFile: m.ServerKeyFile, ClientCAFile: m.ClientCAFile,
		Dir: filepath.Join(c.Data, "mqtt"), UsersFile: m.UsersFile, ACLFile: m.ACLFile,
		Limits: notify.Limits(m.Limits),
	}
}

// brokerPorts are where the embedded broker is to listen, with their keys.
func (c Config) brokerPorts() (ports [][2]string) {
	if c.MQTT.Broker != embeddedBroker {
		return nil
	}
	for _, p := range [][2]string{{"mqtt.listen", c.MQTT.Listen}, {"mqtt.listen_tls", c.MQTT.ListenTLS}, {"mqtt.listen_websocket", c.MQTT.ListenWebSocket}} {
		if p[1] != "" || p[0] == "mqtt.listen" {
			ports = append(ports, p)
		}
	}
	return ports
}

// addBrokerFaults finds what the embedded broker would refuse.
func (c Config) addBrokerFaults(f *faults) {
	for _, p := range c.brokerPorts() {
		f.want(hostPort(p[1]), p[0], "%q is not host:port", p[1])
		if !hostPort(p[1]) {
			return
		}
	}
	l := c.MQTT.Limits
	for _, zero := range []struct {
		key string
		n   int
	}{{"clients", l.Clients}, {"packet", l.Packet}, {"queue", l.Queue}, {"inflight", l.Inflight}} {
		f.want(zero.n > 0, "mqtt.limits."+zero.key, "%d is not positive", zero.n)
	}
	report := func(key, problem string) { f.want(false, key, "%s", problem) }
	c.broker().Faults(report)
	c.broker().Check(report)
}
