package upstream

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Limits of one message, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
const (
	maxMessage    = 1 << 20 // bytes, attributes included
	maxAttributes = 10
)

// fifoID is what SQS takes as a group or deduplication ID.
var fifoID = regexp.MustCompile("^[A-Za-z0-9!-/:-@\\[-`{-~]{1,128}$")

// SQSConfig says which queue. Credentials come from the SDK's default chain:
// the environment, or the files below ~/.aws.
type SQSConfig struct {
	QueueURL     string // a URL that ends in .fifo is a FIFO queue
	Region       string // empty: the one in an Amazon QueueURL, then AWS_REGION or the profile's
	Endpoint     string // empty: Amazon's, or the origin of a QueueURL that is not Amazon's
	InstanceRole bool   // also ask the metadata service of an EC2 machine for credentials
}

// SQS sends messages to a queue. Its methods may be called from any goroutine
// at the same time.
type SQS struct {
	config  SQSConfig
	account account
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
	if region, ok := strings.CutPrefix(host, "sqs."); ok && amazon && c.Region == "" {
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
	return &SQS{config: c, account: account{region: c.Region, instanceRole: c.InstanceRole}}, nil
}

// Close drops idle connections; calls under way are not disturbed.
func (q *SQS) Close() { q.account.close() }

// Send puts m into the queue and returns the message's ID there. A FIFO queue
// drops a repeat within five minutes, other queues never do. An attempt ends
// after 20 s. Errors are *Fault.
func (q *SQS) Send(ctx context.Context, m Message) (string, error) {
	target := q.config.QueueURL
	if err := m.verify(target); err != nil {
		return "", err
	}
	client, err := q.client(ctx)
	if err != nil {
		return "", q.account.fault("send", target, err)
	}
	input := &sqs.SendMessageInput{QueueUrl: &q.config.QueueURL, MessageBody: &m.Body, MessageAttributes: map[string]types.MessageAttributeValue{}}
	for name, value := range m.attributes() {
		input.MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
	}
	if strings.HasSuffix(q.config.QueueURL, ".fifo") {
		group := m.Group
		if group == "" {
			group = m.Dedup
		}
		input.MessageGroupId, input.MessageDeduplicationId = aws.String(asFIFO(group)), aws.String(asFIFO(m.Dedup))
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	answer, err := client.SendMessage(ctx, input)
	if err != nil {
		return "", q.account.fault("send", target, err)
	}
	switch sum := md5.Sum([]byte(m.Body)); {
	case aws.ToString(answer.MessageId) == "" || answer.MD5OfMessageBody == nil:
		return "", &Fault{Op: "send", Target: target, Code: "NoMessageID",
			Remedy: "something that is not SQS said yes: check the endpoint and any proxy or login page in between"}
	case *answer.MD5OfMessageBody != hex.EncodeToString(sum[:]):
		return "", &Fault{Op: "send", Target: target, Code: "WrongMD5",
			Remedy: "the queue confirmed other bytes than were sent: check the network; it will be repeated"}
	}
	return *answer.MessageId, nil
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
		o.DisableMessageChecksumValidation = true // Send does it
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
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}
