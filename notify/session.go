package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

const (
	connectTimeout = 5 * time.Second // for each of network and handshake
	keepAlive      = 10 * time.Second
	pingTimeout    = 5 * time.Second
	writeTimeout   = 5 * time.Second
	byeTimeout     = time.Second
)

// What the availability topic says.
const (
	Online  = "online"
	Stopped = "stopped" // asked to stop
	Offline = "offline" // the last will: nobody said goodbye
)

// A session is one connection and the paho client that lives and dies with it.
// A fresh client for each, because paho's own reconnecting completes tokens
// that no PUBACK ever answered
// (https://github.com/eclipse-paho/paho.mqtt.golang/issues/563).
type session struct {
	paho    mqtt.Client
	conn    net.Conn
	lost    chan struct{} // closed after err is set
	err     error
	once    sync.Once
	refused error // subscriptions that the broker did not grant
}

// dial connects, as prepare (or nil) has it, and returns once the broker accepted us. If
// it fails, nothing is left running.
func dial(ctx context.Context, c Config, subs []*subscription, prepare func(*mqtt.ClientOptions)) (*session, error) {
	u, err := c.address()
	if err != nil {
		return nil, err
	}
	password, err := c.password()
	if err != nil {
		return nil, err
	}
	secure, err := c.tls(u)
	if err != nil {
		return nil, err
	}
	s := &session{lost: make(chan struct{})}
	if s.conn, err = open(ctx, u, secure); err != nil {
		return nil, c.unreachable(u, err)
	}
	o := mqtt.NewClientOptions().AddBroker(u.String()).SetClientID(c.ClientID).
		SetUsername(c.Username).SetPassword(string(password)).
		SetProtocolVersion(4).SetCleanSession(true).
		SetAutoReconnect(false).SetConnectRetry(false).
		SetConnectTimeout(connectTimeout).SetKeepAlive(keepAlive).SetPingTimeout(pingTimeout).SetWriteTimeout(writeTimeout).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { s.fail(err) }).
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return s.conn, nil })
	if c.Availability != "" {
		o.SetWill(c.Availability, Offline, 1, true)
	}
	if prepare != nil {
		prepare(o)
	}
	s.paho = mqtt.NewClient(o)
	for _, sub := range subs {
		s.paho.AddRoute(sub.filter, sub.receive)
	}
	hurry := context.AfterFunc(ctx, func() { _ = s.conn.Close() })
	token := s.paho.Connect()
	<-token.Done() // within connectTimeout, which paho sets on the connection
	if !hurry() && token.Error() == nil {
		s.close()
		return nil, ctx.Err()
	}
	if err := token.Error(); err != nil {
		_ = s.conn.Close()
		return nil, refusal(u, c, err)
	}
	return s, nil
}

// refusal says in words why the broker did not let us in, and what to do.
func refusal(u *url.URL, c Config, err error) error {
	if bad := c.distrust(u, err); bad != nil {
		return fmt.Errorf("mqtt broker %s refused the connection: %w", u, bad)
	}
	var remedy string
	switch {
	case errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword), errors.Is(err, packets.ErrorRefusedNotAuthorised):
		remedy = fmt.Sprintf("check the username %q and the password file %q", c.Username, c.PasswordFile)
	case errors.Is(err, packets.ErrorRefusedIDRejected):
		remedy = fmt.Sprintf("the client ID %q does not please it", c.ClientID)
	default:
		remedy = "is there an mqtt broker at this address, and does it want encryption (ssl://)?"
	}
	return fmt.Errorf("mqtt broker %s refused the connection: %w; %s", u, err, remedy)
}

// open makes the network connection. Websockets do not end early with ctx,
// but within connectTimeout.
func open(ctx context.Context, u *url.URL, secure *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	switch {
	case u.Scheme == "ws" || u.Scheme == "wss":
		return mqtt.NewWebsocket(u.String(), secure, connectTimeout, nil, nil)
	case secure != nil:
		conn, err := (&tls.Dialer{Config: secure}).DialContext(ctx, "tcp", u.Host)
		if err != nil {
			return nil, err
		}
		return &tellingConn{conn}, nil
	}
	return new(net.Dialer).DialContext(ctx, "tcp", u.Host)
}

// greet subscribes and announces us. A subscription that is refused does not
// end the connection: alerts must leave even if triggers may not come in.
func (s *session) greet(ctx context.Context, c Config, subs []*subscription) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	for _, sub := range subs {
		token := s.paho.Subscribe(sub.filter, 1, nil).(*mqtt.SubscribeToken)
		if err := s.await(ctx, token); err != nil {
			return fmt.Errorf("subscribe to %s: %w", sub.filter, err)
		}
		for _, granted := range token.Result() {
			if granted > 2 {
				s.refused = errors.Join(s.refused, fmt.Errorf("the broker refused the subscription to %s: check its access rules", sub.filter))
			}
		}
	}
	if c.Availability == "" {
		return nil
	}
	if err := s.await(ctx, s.paho.Publish(c.Availability, 1, true, Online)); err != nil {
		return fmt.Errorf("announce availability on %s: %w", c.Availability, err)
	}
	return nil
}

// A delivery is a message on its way over one connection.
type delivery struct {
	err     error // set: it never left
	session *session
	token   chan mqtt.Token // gives one
}

// await returns nil only for the PUBACK of that connection.
func (d *delivery) await(ctx context.Context) error {
	if d.err != nil {
		return d.err
	}
	select {
	case token := <-d.token:
		return d.session.await(ctx, token)
	case <-ctx.Done():
		return fmt.Errorf("not acknowledged in time: %w", context.Cause(ctx))
	case <-d.session.lost:
		return fmt.Errorf("not acknowledged: %w", d.session.err)
	}
}

// await returns nil only if the broker answered.
func (s *session) await(ctx context.Context, token mqtt.Token) error {
	select {
	case <-token.Done():
		if err := token.Error(); err != nil {
			return fmt.Errorf("not acknowledged: %w", err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("not acknowledged in time: %w", context.Cause(ctx))
	case <-s.lost:
		return fmt.Errorf("not acknowledged: %w", s.err)
	}
}

// wait returns when the connection is lost, with why, or when ctx ends.
func (s *session) wait(ctx context.Context) error {
	watch := time.NewTicker(time.Second)
	defer watch.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.lost:
			return fmt.Errorf("mqtt connection lost: %w", s.err)
		case <-watch.C: // a loss in the middle of connecting has no callback
			if !s.paho.IsConnectionOpen() {
				s.fail(errClosed)
			}
		}
	}
}

func (s *session) fail(err error) {
	s.once.Do(func() {
		s.err = err
		close(s.lost)
	})
}

// goodbye replaces the last will by the truth.
func (s *session) goodbye(ctx context.Context, c Config) {
	if c.Availability == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, byeTimeout)
	defer cancel()
	_ = s.await(ctx, s.paho.Publish(c.Availability, 1, true, Stopped)) // if it fails, the last will speaks
}

// close ends the connection and returns when paho's goroutines have. An
// orderly DISCONNECT is tried first, which takes back the last will.
func (s *session) close() {
	if s == nil {
		return
	}
	s.paho.Disconnect(250)
	_ = s.conn.Close()
	s.paho.Disconnect(uint(2 * writeTimeout / time.Millisecond)) // waits for the first
	s.fail(errors.New("the connection was closed"))
}

// message is one that arrived.
type message struct {
	topic   string
	payload []byte
}

type subscription struct {
	filter  string
	handler Handler
	queue   chan message

	dropped  func(filter string)
	retained func(topic string)
}

// receive is called by paho and never blocks it.
func (s *subscription) receive(_ mqtt.Client, m mqtt.Message) {
	if m.Retained() {
		s.retained(m.Topic())
		return
	}
	payload := m.Payload()
	if len(payload) > MaxPayload {
		payload = slices.Clone(payload[:MaxPayload+1])
	}
	select {
	case s.queue <- message{m.Topic(), payload}:
	default:
		s.dropped(s.filter)
	}
}

func (s *subscription) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-s.queue:
			s.handler(ctx, m.topic, m.payload)
		}
	}
}
