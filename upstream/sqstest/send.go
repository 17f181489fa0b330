package sqstest

import (
	"cmp"
	"crypto/md5"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

type sendInput struct {
	QueueUrl string
	entry
}

type entry struct {
	Id, MessageBody         string
	MessageAttributes       map[string]Attribute
	MessageSystemAttributes map[string]Attribute
	MessageGroupId          string
	MessageDeduplicationId  string
	DelaySeconds            int
}

type sendOutput struct {
	Id                     string `json:",omitempty"` // of a batch's entry
	MessageId              string
	MD5OfMessageBody       string
	MD5OfMessageAttributes string `json:",omitempty"`
	SequenceNumber         string `json:",omitempty"`
}

type failed struct {
	Id, Code, Message string
	SenderFault       bool
}

type batchInput struct {
	QueueUrl string
	Entries  []entry
}

func (s *Server) send(in sendInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return s.store(q, in.entry)
}

var batchID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// sendBatch answers for every entry, in Successful or in Failed.
func (s *Server) sendBatch(in batchInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	refuse := func(name, format string, args ...any) (any, error) {
		return nil, &Refusal{http.StatusBadRequest, name, "AWS.SimpleQueueService." + name + ";Sender", fmt.Sprintf(format, args...)}
	}
	size, ids := 0, map[string]bool{}
	for _, e := range in.Entries {
		if !batchID.MatchString(e.Id) {
			return refuse("InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		}
		if ids[e.Id] {
			return refuse("BatchEntryIdsNotDistinct", "Id %s repeated.", e.Id)
		}
		ids[e.Id] = true
		size += e.size()
	}
	switch {
	case len(in.Entries) == 0:
		return refuse("EmptyBatchRequest", "There should be at least one SendMessageBatchRequestEntry in the request.")
	case len(in.Entries) > 10:
		return refuse("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent %d.", len(in.Entries))
	case size > 1<<20:
		return refuse("BatchRequestTooLong", "Batch requests cannot be longer than 1048576 bytes. You have sent %d bytes.", size)
	}
	var out struct {
		Successful []sendOutput `json:",omitempty"`
		Failed     []failed     `json:",omitempty"`
	}
	for _, e := range in.Entries {
		var refusal *Refusal
		if s.entries != nil {
			refusal = s.entries(e.MessageBody)
		}
		if refusal == nil {
			answer, err := s.store(q, e)
			if !errors.As(err, &refusal) {
				answer.Id = e.Id
				out.Successful = append(out.Successful, answer)
				continue
			}
		}
		code, side, _ := strings.Cut(cmp.Or(refusal.Query, refusal.Type), ";")
		out.Failed = append(out.Failed, failed{e.Id, code, refusal.Message, side == "Sender"})
	}
	return out, nil
}

// store puts one message into the queue, or finds that it is there. The
// caller holds the lock.
func (s *Server) store(q *queue, e entry) (sendOutput, error) {
	if err := q.accepts(&e); err != nil {
		return sendOutput{}, err
	}
	now := time.Now()
	if before, ok := q.seen[e.MessageDeduplicationId]; ok && q.fifo() && now.Sub(before.at) < 5*time.Minute {
		return before.answer, nil
	}
	s.serial++
	m := &message{id: newID(), body: e.MessageBody, attributes: e.MessageAttributes, system: map[string]string{
		"SentTimestamp": strconv.FormatInt(now.UnixMilli(), 10), "SenderId": Account}}
	m.hidden = now.Add(time.Duration(e.DelaySeconds) * time.Second)
	answer := sendOutput{MessageId: m.id, MD5OfMessageBody: md5Hex([]byte(e.MessageBody)), MD5OfMessageAttributes: md5Attributes(e.MessageAttributes)}
	if q.fifo() {
		answer.SequenceNumber = fmt.Sprintf("%020d", s.serial)
		m.system["MessageGroupId"], m.system["MessageDeduplicationId"] = e.MessageGroupId, e.MessageDeduplicationId
		m.system["SequenceNumber"] = answer.SequenceNumber
		q.seen[e.MessageDeduplicationId] = sent{now, answer}
	}
	q.messages = append(q.messages, m)
	s.announce()
	if len(s.corrupt) > 0 {
		wrong := &answer.MD5OfMessageBody
		if s.corrupt[0] == OfAttributes {
			wrong = &answer.MD5OfMessageAttributes
		}
		s.corrupt, *wrong = s.corrupt[1:], md5Hex([]byte(*wrong))
	}
	return answer, nil
}

var fifoID = regexp.MustCompile("^[A-Za-z0-9!-/:-@\\[-`{-~]{1,128}$")

// accepts refuses what SQS refuses, and fills in the content's deduplication ID.
func (q *queue) accepts(e *entry) error {
	limit, _ := strconv.Atoi(q.attributes["MaximumMessageSize"])
	switch {
	case e.MessageBody == "":
		return missing("MessageBody")
	case e.size() > limit:
		return invalid("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", limit)
	case strings.ContainsFunc(e.MessageBody, unsendable):
		return &Refusal{http.StatusBadRequest, "InvalidMessageContents", "InvalidMessageContents;Sender", "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"}
	case len(e.MessageAttributes) > 10:
		return invalid("Number of message attributes [%d] exceeds the allowed maximum [10].", len(e.MessageAttributes))
	case !q.fifo():
		if e.MessageDeduplicationId != "" {
			return invalid("The request include parameter that is not valid for this queue type")
		}
		return nil
	case e.MessageGroupId == "":
		return missing("MessageGroupId")
	case e.DelaySeconds != 0:
		return invalid("Value %d for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.", e.DelaySeconds)
	case e.MessageDeduplicationId == "" && q.attributes["ContentBasedDeduplication"] == "true":
		e.MessageDeduplicationId = md5Hex([]byte(e.MessageBody))
	}
	if !fifoID.MatchString(e.MessageGroupId) || !fifoID.MatchString(e.MessageDeduplicationId) {
		return invalid("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly, of 1 to 128 alphanumeric and punctuation characters")
	}
	return nil
}

func (e entry) size() int {
	n := len(e.MessageBody)
	for name, a := range e.MessageAttributes {
		n += len(name) + len(a.DataType) + len(a.BinaryValue)
		if a.StringValue != nil {
			n += len(*a.StringValue)
		}
	}
	return n
}

func unsendable(r rune) bool {
	return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
}

func md5Hex(p []byte) string {
	sum := md5.Sum(p)
	return hex.EncodeToString(sum[:])
}

// md5Attributes is the digest that the developer guide describes under
// "Calculating the MD5 message digest for message attributes".
func md5Attributes(all map[string]Attribute) string {
	if len(all) == 0 {
		return ""
	}
	var p []byte
	add := func(b []byte) { p = append(binary.BigEndian.AppendUint32(p, uint32(len(b))), b...) }
	for _, name := range slices.Sorted(maps.Keys(all)) {
		a := all[name]
		add([]byte(name))
		add([]byte(a.DataType))
		if strings.HasPrefix(a.DataType, "Binary") {
			p = append(p, 2)
			add(a.BinaryValue)
		} else if a.StringValue != nil {
			p = append(p, 1)
			add([]byte(*a.StringValue))
		}
	}
	return md5Hex(p)
}

func newID() string {
	var p [16]byte
	_, _ = rand.Read(p[:]) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", p[:4], p[4:6], p[6:8], p[8:10], p[10:])
}
