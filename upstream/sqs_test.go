package upstream

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"inspector/upstream/sqstest"
)

// queue starts a service with one queue and returns it and the queue's client.
func queue(t *testing.T, name string) (*sqstest.Server, *SQS) {
	t.Helper()
	credentials(t, keyID, secret)
	service := sqstest.New(keyID, secret)
	srv := httptest.NewServer(service)
	t.Cleanup(srv.Close)
	q := sqsAt(t, srv.URL+"/"+sqstest.Account+"/"+name)
	attributes := map[string]string{}
	if strings.HasSuffix(name, ".fifo") {
		attributes["FifoQueue"] = "true"
	}
	if _, err := sdk(t, q).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes}); err != nil {
		t.Fatal(err)
	}
	return service, q
}

func sqsAt(t *testing.T, address string) *SQS {
	t.Helper()
	q, err := NewSQS(SQSConfig{QueueURL: address, Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	return q
}

func sdk(t *testing.T, q *SQS) *sqs.Client {
	t.Helper()
	client, err := q.client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// receive takes all visible messages, attributes included.
func receive(t *testing.T, q *SQS) []types.Message {
	t.Helper()
	out, err := sdk(t, q).ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &q.config.QueueURL, MaxNumberOfMessages: 10,
		MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}})
	if err != nil {
		t.Fatal(err)
	}
	return out.Messages
}

func TestSQSSend(t *testing.T) {
	_, q := queue(t, "results")
	m := Message{Body: `{"verdict":"fail ✗"}`, Attributes: map[string]string{"verdict": "fail"}, Dedup: "d-e-1/Forward/2"}
	id, err := q.Send(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	got := receive(t, q)
	if len(got) != 1 || *got[0].Body != m.Body || *got[0].MessageId != id ||
		*got[0].MessageAttributes["verdict"].StringValue != "fail" || *got[0].MessageAttributes["key"].StringValue != m.Dedup {
		t.Errorf("received %+v", got)
	}
	if err := q.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
}

func TestSQSFIFO(t *testing.T) {
	_, q := queue(t, "results.fifo")
	send := func(body, group, dedup string) string {
		t.Helper()
		id, err := q.Send(t.Context(), Message{Body: body, Group: group, Dedup: dedup})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	first := send("a", "line1", "k1")
	if again := send("a", "line1", "k1"); again != first {
		t.Errorf("the repeat became %s beside %s", again, first)
	}
	send("b", "line1", "k2")
	send("c", "", "a key with spaces and ✗")
	got := receive(t, q)
	var text []string
	for _, m := range got {
		text = append(text, *m.Body+"@"+m.Attributes["MessageGroupId"])
	}
	if len(got) != 3 || text[0] != "a@line1" || text[1] != "b@line1" || text[2] != "c@"+sumOf("a key with spaces and ✗") {
		t.Errorf("received %v", text)
	}
}

func TestSQSRefusals(t *testing.T) {
	service, q := queue(t, "results")
	send := func(q *SQS, m Message) error { _, err := q.Send(t.Context(), m); return err }
	ok := Message{Body: "x", Dedup: "k"}
	before := service.Calls("SendMessage")
	for code, m := range map[string]Message{
		"MissingKey":             {Body: "x"},
		"EmptyMessage":           {Dedup: "k"},
		"MessageTooLong":         {Body: strings.Repeat("x", defaultMessage-len("key")-len("String")), Dedup: "k"},
		"InvalidMessageContents": {Body: "\x01", Dedup: "k"},
		"InvalidAttributeValue":  {Body: "x", Dedup: "k", Attributes: map[string]string{"class": ""}},
		"TooManyAttributes":      {Body: "x", Dedup: "k", Attributes: map[string]string{"1": "1", "2": "2", "3": "3", "4": "4", "5": "5", "6": "6", "7": "7", "8": "8", "9": "9", "10": "10"}},
	} {
		want(t, send(q, m), code, true)
	}
	if service.Calls("SendMessage") != before {
		t.Error("what cannot be sent was sent")
	}
	if err := send(q, Message{Body: strings.Repeat("x", defaultMessage-len("key")-len("String")-1), Dedup: "k"}); err != nil {
		t.Errorf("the longest message: %v", err)
	}
	for _, m := range []Message{{Body: "\xff", Dedup: "k"}, {Body: "x\uffff", Dedup: "k"}, {Body: "x", Dedup: "\x00"}} {
		if err := send(q, m); err == nil {
			t.Errorf("%q was sent", m)
		}
	}

	service.Refuse("SendMessage", 1, sqstest.Throttled)
	want(t, send(q, ok), "RequestThrottled", false)
	service.Refuse("SendMessage", 1, sqstest.Refusal{Status: 503, Type: "ServiceUnavailable", Message: "later"})
	want(t, send(q, ok), "ServiceUnavailable", false)
	service.CorruptMD5(1, sqstest.OfBody)
	if f := want(t, send(q, ok), "WrongMD5", false); !strings.Contains(f.Remedy, "body") {
		t.Errorf("remedy %q", f.Remedy)
	}
	service.CorruptMD5(1, sqstest.OfAttributes)
	if f := want(t, send(q, ok), "WrongMD5", false); !strings.Contains(f.Remedy, "attributes") {
		t.Errorf("remedy %q", f.Remedy)
	}
	for _, ahead := range []time.Duration{time.Hour, -time.Hour} {
		service.Clock(ahead)
		if f := want(t, send(q, ok), "SignatureDoesNotMatch", false); !strings.Contains(f.Remedy, "clock") {
			t.Errorf("remedy %q", f.Remedy)
		}
	}
	service.Clock(0)

	nosuch := sqsAt(t, q.config.QueueURL+"-nosuch")
	want(t, send(nosuch, ok), "AWS.SimpleQueueService.NonExistentQueue", true)
	want(t, nosuch.Check(t.Context()), "AWS.SimpleQueueService.NonExistentQueue", true)
	want(t, send(sqsAt(t, "http://"+freeAddress(t)+"/1/q"), ok), "ConnectionRefused", false)

	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<html>please log in</html>"))
	}))
	defer page.Close()
	want(t, send(sqsAt(t, page.URL+"/1/q"), ok), "GarbledAnswer", false)
	empty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }))
	defer empty.Close()
	want(t, send(sqsAt(t, empty.URL+"/1/q"), ok), "NoMessageID", false)
}

func TestSQSCredentials(t *testing.T) {
	_, q := queue(t, "results")
	file := credentials(t, keyID, "wrong-secret")
	q.account.forget()
	_, err := q.Send(t.Context(), Message{Body: "x", Dedup: "k"})
	want(t, err, "SignatureDoesNotMatch", true)
	writeCredentials(t, file, "AKIDNOBODY", secret)
	_, err = q.Send(t.Context(), Message{Body: "x", Dedup: "k"})
	want(t, err, "InvalidClientTokenId", true)
	writeCredentials(t, file, keyID, secret)
	if _, err := q.Send(t.Context(), Message{Body: "x", Dedup: "k"}); err != nil {
		t.Errorf("corrected credentials: %v", err)
	}
}

func TestSQSConfig(t *testing.T) {
	for address, c := range map[string]SQSConfig{
		"https://sqs.eu-central-1.amazonaws.com/1/q": {Region: "eu-central-1"},
		"http://host:9324/1/q":                       {Endpoint: "http://host:9324"},
	} {
		q, err := NewSQS(SQSConfig{QueueURL: address})
		if err != nil || q.config.Region != c.Region || q.config.Endpoint != c.Endpoint {
			t.Errorf("%s: %+v, %v", address, q, err)
		}
	}
	for _, c := range []SQSConfig{
		{}, {QueueURL: "results"}, {QueueURL: "http://host"}, {QueueURL: "http://host/1/q", Endpoint: "host"},
		{QueueURL: "http://me:" + secret + "@host/1/q"}, {QueueURL: "http://host/1/q", Limit: 100}, {QueueURL: "http://host/1/q", Limit: 1<<20 + 1},
	} {
		if _, err := NewSQS(c); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// The double is checked with the SDK, which reads its answers by the schema.
func TestDouble(t *testing.T) {
	service, q := queue(t, "batch")
	client, address := sdk(t, q), &q.config.QueueURL
	entries := []types.SendMessageBatchRequestEntry{
		{Id: aws.String("a"), MessageBody: aws.String("one")}, {Id: aws.String("b"), MessageBody: aws.String("two")}}
	service.RefuseEntries(func(body string) *sqstest.Refusal {
		if body == "two" {
			return &sqstest.Throttled
		}
		return nil
	})
	out, err := client.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: address, Entries: entries})
	if err != nil || len(out.Successful) != 1 || *out.Successful[0].Id != "a" || len(out.Failed) != 1 || *out.Failed[0].Id != "b" || *out.Failed[0].Code != "RequestThrottled" {
		t.Errorf("batch: %+v, %v", out, err)
	}
	many := make([]types.SendMessageBatchRequestEntry, 11)
	for i := range many {
		many[i] = types.SendMessageBatchRequestEntry{Id: aws.String(string(rune('a' + i))), MessageBody: aws.String("x")}
	}
	for code, in := range map[string][]types.SendMessageBatchRequestEntry{
		"TooManyEntriesInBatchRequest": many, "BatchEntryIdsNotDistinct": {entries[0], entries[0]}, "EmptyBatchRequest": {},
	} {
		_, err := client.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: address, Entries: in})
		if err == nil || !strings.Contains(err.Error(), "AWS.SimpleQueueService."+code) {
			t.Errorf("%v; want %s", err, code)
		}
	}
	if u, err := client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("batch")}); err != nil || *u.QueueUrl != *address {
		t.Errorf("%+v, %v", u, err)
	}
	first := receive(t, q)
	if again := receive(t, q); len(first) != 1 || len(again) != 0 {
		t.Errorf("received %d, then %d while it was hidden", len(first), len(again))
	}
	if _, err := client.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: address, ReceiptHandle: first[0].ReceiptHandle}); err != nil {
		t.Error(err)
	}
	counts, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: address, AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil || counts.Attributes["ApproximateNumberOfMessages"] != "0" || counts.Attributes["ApproximateNumberOfMessagesNotVisible"] != "0" {
		t.Errorf("%+v, %v", counts, err)
	}
	// A receiver that waits is woken by a message.
	go func() { _, _ = q.Send(t.Context(), Message{Body: "late", Dedup: "k"}) }()
	woken, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: address, WaitTimeSeconds: 20})
	if err != nil || len(woken.Messages) != 1 || *woken.Messages[0].Body != "late" {
		t.Errorf("%+v, %v", woken, err)
	}
}

// In a FIFO queue nothing overtakes a message of its group that is in flight.
func TestDoubleFIFO(t *testing.T) {
	_, q := queue(t, "order.fifo")
	client := sdk(t, q)
	for _, m := range []Message{{Body: "a1", Group: "a", Dedup: "1"}, {Body: "a2", Group: "a", Dedup: "2"}, {Body: "b1", Group: "b", Dedup: "3"}} {
		if _, err := q.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	take := func() *types.Message {
		out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &q.config.QueueURL, MaxNumberOfMessages: 1})
		if err != nil || len(out.Messages) == 0 {
			return nil
		}
		return &out.Messages[0]
	}
	a1, b1, none := take(), take(), take()
	if a1 == nil || *a1.Body != "a1" || b1 == nil || *b1.Body != "b1" || none != nil {
		t.Fatalf("took %v, %v, %v", a1, b1, none)
	}
	if _, err := client.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &q.config.QueueURL, ReceiptHandle: a1.ReceiptHandle}); err != nil {
		t.Fatal(err)
	}
	if a2 := take(); a2 == nil || *a2.Body != "a2" {
		t.Errorf("then took %v", a2)
	}
	_, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &q.config.QueueURL, MessageBody: aws.String("x")})
	want(t, classify("send", "q", err), "MissingParameter", true)
}
