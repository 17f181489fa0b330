package upstream

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// sendOne sends one message by itself.
func (q *SQS) sendOne(ctx context.Context, m Message) (string, error) {
	client, err := q.client(ctx)
	if err != nil {
		return "", q.account.fault("send", q.config.QueueURL, err)
	}
	input := &sqs.SendMessageInput{QueueUrl: &q.config.QueueURL, MessageBody: &m.Body, MessageAttributes: m.typed()}
	input.MessageGroupId, input.MessageDeduplicationId = q.order(m)
	answer, err := client.SendMessage(ctx, input)
	if err != nil {
		return "", q.account.fault("send", q.config.QueueURL, err)
	}
	return q.confirmed(m, answer.MessageId, answer.MD5OfMessageBody, answer.MD5OfMessageAttributes)
}

// sendAll sends a batch and gives each entry its outcome, unless the whole of
// it failed.
func (q *SQS) sendAll(ctx context.Context, all []*entry) error {
	client, err := q.client(ctx)
	if err != nil {
		return q.account.fault("send", q.config.QueueURL, err)
	}
	input := &sqs.SendMessageBatchInput{QueueUrl: &q.config.QueueURL}
	for n, e := range all {
		one := types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(n)), MessageBody: &e.message.Body, MessageAttributes: e.message.typed()}
		one.MessageGroupId, one.MessageDeduplicationId = q.order(e.message)
		input.Entries = append(input.Entries, one)
	}
	answer, err := client.SendMessageBatch(ctx, input)
	if err != nil {
		return q.account.fault("send", q.config.QueueURL, err)
	}
	q.share(all, answer)
	return nil
}

// share gives each entry what the answer says about it. An entry that is not
// named was not confirmed.
func (q *SQS) share(all []*entry, answer *sqs.SendMessageBatchOutput) {
	for _, e := range all {
		e.err = q.unconfirmed()
	}
	named := func(id *string) *entry {
		if n, err := strconv.Atoi(aws.ToString(id)); err == nil && n >= 0 && n < len(all) {
			return all[n]
		}
		return &entry{}
	}
	for _, s := range answer.Successful {
		e := named(s.Id)
		e.id, e.err = q.confirmed(e.message, s.MessageId, s.MD5OfMessageBody, s.MD5OfMessageAttributes)
	}
	for _, f := range answer.Failed {
		e := named(f.Id)
		e.id, e.err = "", q.account.fault("send", q.config.QueueURL, refusedEntry(f))
	}
	if len(answer.Successful)+len(answer.Failed) == 0 {
		q.alone.Store(true) // some servers answer batches in a form of their own
	}
}

// refusedEntry is the error that f would be as the answer to a call.
func refusedEntry(f types.BatchResultErrorEntry) error {
	status := http.StatusInternalServerError
	if f.SenderFault {
		status = http.StatusBadRequest
	}
	return &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status, Header: http.Header{}}},
		Err:      &smithy.GenericAPIError{Code: cmp.Or(aws.ToString(f.Code), "Failed"), Message: aws.ToString(f.Message)},
	}
}

// order gives group and deduplication ID for a FIFO queue.
func (q *SQS) order(m Message) (group, dedup *string) {
	if !q.fifo() {
		return nil, nil
	}
	return aws.String(asFIFO(cmp.Or(m.Group, m.Dedup))), aws.String(asFIFO(m.Dedup))
}

// confirmed checks the queue's word that it has m.
func (q *SQS) confirmed(m Message, id, body, attributes *string) (string, error) {
	sum := md5.Sum([]byte(m.Body))
	wrong := ""
	switch {
	case aws.ToString(id) == "" || body == nil:
		return "", q.unconfirmed()
	case *body != hex.EncodeToString(sum[:]):
		wrong = "body"
	case aws.ToString(attributes) != md5Attributes(m.attributes()):
		wrong = "attributes"
	default:
		return *id, nil
	}
	return "", &Fault{Op: "send", Target: q.config.QueueURL, Code: "WrongMD5",
		Remedy: "the queue confirmed another " + wrong + " than was sent (MD5 of key " + m.Dedup + "): check the network and any proxy in between; it will be repeated"}
}

func (q *SQS) unconfirmed() error {
	return &Fault{Op: "send", Target: q.config.QueueURL, Code: "NoMessageID",
		Remedy: "something that is not SQS said yes: check the endpoint and any proxy or login page in between; it will be repeated"}
}

// typed are the attributes as SQS takes them.
func (m Message) typed() map[string]types.MessageAttributeValue {
	all := map[string]types.MessageAttributeValue{}
	for name, value := range m.attributes() {
		all[name] = types.MessageAttributeValue{DataType: aws.String(stringType), StringValue: &value}
	}
	return all
}

// md5Attributes is the digest of attributes of type String,
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html#sqs-attributes-md5-message-digest-calculation
func md5Attributes(all map[string]string) string {
	text := make([]byte, 0, 512)
	add := func(s string) {
		text = append(binary.BigEndian.AppendUint32(text, uint32(len(s))), s...) //nolint:gosec // at most 1 MiB
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		add(name)
		add(stringType)
		text = append(text, 1) // a string follows
		add(all[name])
	}
	sum := md5.Sum(text)
	return hex.EncodeToString(sum[:])
}
