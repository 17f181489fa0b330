package temporal

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
)

// Config says which cluster, and what this device is in it.
type Config struct {
	Address    string // host:port of the frontend
	Namespace  string
	TaskQueue  string // the executions' queue; those of resources begin with it
	CAFile     string // PEM of the cluster's authority: with it, or a certificate or key of ours, the connection is TLS
	CertFile   string // PEM of our certificate, with KeyFile
	KeyFile    string
	APIKeyFile string // its first line is our key
	TLS        bool   // TLS without any of the files: the system's authorities are trusted

	Device string        // names the queues of Local resources
	Local  []string      // resources that touch what only this device has
	Home   bool          // workers handle MachineResource and TellResource: executions may begin others, and tell of themselves
	Lost   time.Duration // how long a silent worker keeps a deed; 0 is 30 s
	Grace  time.Duration // for deeds begun when a worker stops; 0 is 5 s
}

// Validate reports every fault at once.
func (c Config) Validate() error {
	var errs []error
	if _, _, err := net.SplitHostPort(c.Address); err != nil {
		errs = append(errs, fmt.Errorf("address: %q is not host:port, such as temporal.example.org:7233", c.Address))
	}
	if c.Namespace == "" {
		errs = append(errs, errors.New("namespace: a namespace is required, such as default"))
	}
	if c.TaskQueue == "" || strings.ContainsAny(c.TaskQueue, "@/") {
		errs = append(errs, fmt.Errorf("task_queue: %q: a name is required, without @ and /", c.TaskQueue))
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		errs = append(errs, errors.New("key_file: cert_file and key_file belong together: give both or neither"))
	}
	return errors.Join(errs...)
}

func (c Config) grace() time.Duration { return cmp.Or(c.Grace, 5*time.Second) }

// identity names the worker in the cluster's own page.
func (c Config) identity() string { return cmp.Or(c.Device, "worker") }

func (c Config) options() (client.Options, error) {
	o := client.Options{HostPort: c.Address, Namespace: c.Namespace, Identity: c.identity()}
	if err := c.Validate(); err != nil {
		return o, fmt.Errorf("temporal: %w", err)
	}
	if c.TLS || c.CAFile != "" || c.CertFile != "" || c.APIKeyFile != "" {
		o.ConnectionOptions.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	} else {
		o.ConnectionOptions.TLSDisabled = true
	}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return o, fmt.Errorf("temporal: authority: %w", err)
		}
		o.ConnectionOptions.TLS.RootCAs = x509.NewCertPool()
		if !o.ConnectionOptions.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return o, fmt.Errorf("temporal: authority: %s holds no PEM certificate", c.CAFile)
		}
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return o, fmt.Errorf("temporal: certificate: %w", err)
		}
		o.ConnectionOptions.TLS.Certificates = []tls.Certificate{pair}
	}
	if c.APIKeyFile != "" {
		text, err := os.ReadFile(c.APIKeyFile)
		if err != nil {
			return o, fmt.Errorf("temporal: key: %w", err)
		}
		line, _, _ := strings.Cut(string(text), "\n")
		if line = strings.TrimSpace(line); line == "" {
			return o, fmt.Errorf("temporal: key: %s is empty; write the key on its first line", c.APIKeyFile)
		}
		o.Credentials = client.NewAPIKeyStaticCredentials(line)
	}
	return o, nil
}
