package upstream

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// What SQS takes, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
const (
	maxMessage     = 1 << 20   // bytes, attributes included; of a batch, too
	defaultMessage = 256 << 10 // what every queue and server takes
	leastMessage   = 1 << 10   // of a queue's MaximumMessageSize
	maxAttributes  = 10
	maxBatch       = 10 // messages
)

// sendIn is how long an attempt may take.
const sendIn = 20 * time.Second

// fifoID is what SQS takes as a group or deduplication ID.
var fifoID = regexp.MustCompile("^[A-Za-z0-9!-/:-@\\[-`{-~]{1,128}$")

// SQSConfig says which queue. Credentials come from the SDK's default chain:
// the environment, or the files below ~/.aws.
type SQSConfig struct {
	QueueURL     string // a URL that ends in .fifo is a FIFO queue
	Region       string // that of an Amazon QueueURL goes before it; empty: AWS_REGION or the profile's
	Endpoint     string // empty: Amazon's, or the origin of a QueueURL that is not Amazon's
	InstanceRole bool   // also ask the metadata service of an EC2 machine for credentials
	Limit        int    // bytes of a message and of a batch, 1 KiB to 1 MiB; 0: 256 KiB
	Large        *S3    // takes the body of a message over Limit, which then refers to it; nil: it is refused
	LargePrefix  string // of the keys of such bodies: PREFIX/messages/KEY
}

// SQS sends messages to a queue. Its methods may be called from any goroutine
// at the same time.
type SQS struct {
	config  SQSConfig
	account account

	alone   atomic.Bool // the server's answers to batches name nobody
	batches sync.WaitGroup
	company time.Duration // how long a message waits for others to go with it

	mu   sync.Mutex
	open *batch        // that has room; nil: none
	last chan struct{} // of a FIFO queue: closed when its last batch has ended
}

// NewSQS checks the configuration. It reads no credentials and opens nothing.
func NewSQS(c SQSConfig) (*SQS, error) {
	if err := checkEndpoint(c.QueueURL); err != nil {
		return nil, fmt.Errorf("queue URL: %w", err)
	}
	u, err := url.Parse(c.QueueURL)
	if err != nil || strings.Trim(u.Path, "/") == "" {
		return nil, errors.New("upstream: the queue URL names no queue; write https://sqs.REGION.amazonaws.com/ACCOUNT/QUEUE")
	}
	host := u.Hostname()
	amazon := strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn")
	if region, ok := strings.CutPrefix(host, "sqs."); ok && amazon {
		c.Region, _, _ = strings.Cut(region, ".")
	}
	if c.Endpoint == "" && !amazon {
		c.Endpoint = u.Scheme + "://" + u.Host
	}
	if c.Endpoint != "" {
		if err := checkEndpoint(c.Endpoint); err != nil {
			return nil, err
		}
	}
	if c.Limit = cmp.Or(c.Limit, defaultMessage); c.Limit < leastMessage || c.Limit > maxMessage {
		return nil, fmt.Errorf("upstream: a message of at most %d bytes; want %d to %d", c.Limit, leastMessage, maxMessage)
	}
	return &SQS{config: c, company: company, account: account{region: c.Region, instanceRole: c.InstanceRole}}, nil
}

// Close waits for what is under way, and drops idle connections. Nobody may
// call Send any more.
func (q *SQS) Close() {
	q.batches.Wait()
	q.account.close()
}

func (q *SQS) fifo() bool { return strings.HasSuffix(q.config.QueueURL, ".fifo") }

// Send puts m into the queue and returns the message's ID there. Messages that
// are sent at about the same time go together, each with its own outcome. A
// FIFO queue drops a repeat within five minutes, other queues never do. An
// attempt ends 20 s after it began. Errors are *Fault.
func (q *SQS) Send(ctx context.Context, m Message) (string, error) {
	m.Attributes = m.attributes() // asked for often from here on
	if err := m.verify(q.config.QueueURL); err != nil {
		return "", err
	}
	if err := m.text(q.config.QueueURL); err != nil {
		return "", err
	}
	size := m.size()
	if size > q.config.Limit {
		var err error
		if m, err = q.refer(ctx, m); err != nil {
			return "", err
		}
		size = m.size()
	}
	e := &entry{message: m, size: size}
	b := q.join(ctx, e)
	defer q.leave(b)
	select {
	case <-b.done:
		return e.id, e.err
	case <-ctx.Done():
		return "", q.account.fault("send", q.config.QueueURL, ctx.Err())
	}
}

// Check asks whether the queue is there and these credentials may see it. It
// takes at most 10 s. Errors are *Fault.
func (q *SQS) Check(ctx context.Context) error {
	client, err := q.client(ctx)
	if err != nil {
		return q.account.fault("check", q.config.QueueURL, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err = client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &q.config.QueueURL, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		return q.account.fault("check", q.config.QueueURL, err)
	}
	return nil
}

// client makes a client that tries once: the engine that drives us retries.
func (q *SQS) client(ctx context.Context) (*sqs.Client, error) {
	c, err := q.account.config(ctx)
	if err != nil {
		return nil, err
	}
	return sqs.NewFromConfig(c, func(o *sqs.Options) {
		o.Retryer = aws.NopRetryer{}
		o.DisableMessageChecksumValidation = true // the answers are checked here, attributes included
		if q.config.Endpoint != "" {
			o.BaseEndpoint = &q.config.Endpoint
		}
	}), nil
}

// asFIFO is id if SQS takes it, or its sha256.
func asFIFO(id string) string {
	if fifoID.MatchString(id) {
		return id
	}
	return sha256Of(id)
}

func sha256Of(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
