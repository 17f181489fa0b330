package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"path"
	"strings"
)

// ReferenceSchema is the version of the form of a Reference.
const ReferenceSchema = "inspector/1"

// A Reference stands in a message for a body that is too long for it. Its form
// is docs/messages/reference.schema.json. The attributes of the message are
// what they would be beside the body.
type Reference struct {
	Schema string `json:"schema"`
	Type   string `json:"type"` // reference
	Key    string `json:"key"`  // of the message, the same on every attempt
	Bucket string `json:"bucket"`
	Object string `json:"object"` // its key in the bucket
	Size   int64  `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // of the body, hexadecimal
}

// refer puts the body of m into the bucket and gives the message that refers
// to it. The body is there before the message can be.
func (q *SQS) refer(ctx context.Context, m Message) (Message, error) {
	if q.config.Large == nil {
		return m, m.tooLong(q.config.QueueURL, q.config.Limit)
	}
	r := Reference{Schema: ReferenceSchema, Type: "reference", Key: m.attributes()["key"], Bucket: q.config.Large.config.Bucket,
		Object: path.Join(q.config.LargePrefix, "messages", fileName(m.Dedup)), Size: int64(len(m.Body)), SHA256: sha256Of(m.Body)}
	contentType := "text/plain; charset=utf-8"
	if json.Valid([]byte(m.Body)) {
		contentType = "application/json"
	}
	if _, err := q.config.Large.Put(ctx, Object{Key: r.Object, ContentType: contentType,
		Body: strings.NewReader(m.Body), Size: r.Size, SHA256: r.SHA256}); err != nil {
		return m, err
	}
	body, err := json.Marshal(r)
	if err != nil {
		return m, errors.Join(m.tooLong(q.config.QueueURL, q.config.Limit), err)
	}
	m.Body = string(body)
	if m.size() > q.config.Limit {
		return m, m.tooLong(q.config.QueueURL, q.config.Limit)
	}
	return m, nil
}
