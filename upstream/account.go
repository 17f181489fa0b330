package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
)

// An account finds region and credentials when they are first needed: in the
// environment, the shared files, and what these name. It asks the machine's
// metadata service only if told to, because off Amazon's machines that hangs.
type account struct {
	region       string // empty: from the environment or shared files
	instanceRole bool

	mu     sync.Mutex
	loaded *aws.Config
	http   *http.Client
}

// config is a copy of what current gives.
func (a *account) config(ctx context.Context) (aws.Config, error) {
	c, err := a.current(ctx)
	if err != nil {
		return aws.Config{}, err
	}
	return *c, nil
}

// current gives the SDK's configuration, read once and again after forget:
// another one has another address. Nobody writes to it.
func (a *account) current(ctx context.Context) (*aws.Config, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.loaded != nil {
		return a.loaded, nil
	}
	state := imds.ClientDisabled
	if a.instanceRole {
		state = imds.ClientDefaultEnableState
	}
	c, err := config.LoadDefaultConfig(ctx,
		config.WithEC2IMDSClientEnableState(state),
		config.WithRegion(a.region),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithDialerOptions(func(d *net.Dialer) { d.Timeout = 5 * time.Second })))
	if err != nil {
		return nil, credentialError{err}
	}
	if a.http == nil {
		a.http = ownHTTP(c.HTTPClient)
	}
	c.HTTPClient = a.http
	c.Credentials = typed{c.Credentials}
	a.loaded = &c
	return a.loaded, nil
}

// ownHTTP is the SDK's client, certificates of AWS_CA_BUNDLE included, but
// with idle connections that can be closed, and no redirects.
func ownHTTP(c aws.HTTPClient) *http.Client {
	own := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if b, ok := c.(*awshttp.BuildableClient); ok {
		t := b.GetTransport()
		t.MaxIdleConnsPerHost = 128 // or calls beside each other connect anew each time
		own.Transport = t
	}
	return own
}

// forget lets the next call read the credentials anew, so that a corrected
// file needs no restart.
func (a *account) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.loaded = nil
}

// fault classifies err and forgets credentials that were refused.
func (a *account) fault(op, target string, err error) *Fault {
	f := classify(op, target, err)
	if f.access {
		a.forget()
	}
	return f
}

// close drops idle connections.
func (a *account) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.http != nil {
		a.http.CloseIdleConnections()
	}
}

// typed marks the errors of a provider as such.
type typed struct{ aws.CredentialsProvider }

func (p typed) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := p.CredentialsProvider.Retrieve(ctx)
	if err != nil && ctx.Err() == nil {
		err = credentialError{err}
	}
	return c, err
}

// checkEndpoint refuses addresses that the SDK would use silently wrong, and
// secrets in them.
func checkEndpoint(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return errors.New("upstream: the endpoint is not an address; write https://HOST[:PORT]") // without err, which quotes it
	case u.User != nil:
		return errors.New("upstream: the endpoint holds a user or password; credentials come from the environment or ~/.aws")
	case (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("upstream: endpoint %q; write https://HOST[:PORT]", address)
	}
	return nil
}
