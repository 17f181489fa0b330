package upstream

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
)

// An upload is one attempt to keep an object.
type upload struct {
	*S3
	client  *s3.Client
	bucket  string
	o       Object
	sum     [sha256.Size]byte
	target  string // s3://BUCKET/KEY
	headers headers
	tick    func()
}

// Put keeps o unless its key is taken. If the key holds the same bytes
// already, that is success, with the receipt of what is there; so it is with
// another drawing of the same source. The server verifies the SHA-256, of each
// part and of all if it goes in parts; parts that a former attempt left are
// used. An attempt ends when nothing has moved for 30 s. Errors are *Fault.
func (s *S3) Put(ctx context.Context, o Object) (Receipt, error) {
	u := &upload{S3: s, bucket: s.bucket(o), o: o}
	u.target = "s3://" + u.bucket + "/" + o.Key
	var err error
	if u.sum, err = o.verify(ctx, u.target); err != nil {
		return Receipt{}, err
	}
	if u.headers, err = s.headers(o, u.sum, u.target); err != nil {
		return Receipt{}, err
	}
	if u.client, err = s.client(ctx); err != nil {
		return Receipt{}, s.account.fault("put", u.target, err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.atMost(o.Size))
	defer cancel()
	ctx, tick, stop := watched(ctx, s.silence)
	defer stop()
	u.tick = tick
	var receipt Receipt
	if o.Size > s.config.Multipart {
		receipt, err = u.inParts(ctx)
	} else {
		receipt, err = u.whole(ctx)
	}
	if err != nil && context.Cause(ctx) == errSilent { //nolint:errorlint // it is the very one
		return Receipt{}, &Fault{Op: "put", Target: u.target, Code: "Timeout", Err: err, detail: fmt.Sprintf("nothing moved for %v", s.silence),
			Remedy: "check the network and the server; it will be repeated"}
	}
	return receipt, err
}

// atMost is how long an attempt may take that trickles on: a minute, and what
// the body needs at 16 KiB/s, or at half its share of the bandwidth if that is
// less.
func (s *S3) atMost(size int64) time.Duration {
	speed := int64(16 << 10)
	if b := s.config.Bandwidth; b > 0 {
		speed = max(min(speed, b/int64(2*s.config.Parallel)), 1)
	}
	return time.Minute + time.Duration(size/speed)*time.Second
}

// whole sends the object at once.
func (u *upload) whole(ctx context.Context) (Receipt, error) {
	body := u.stretch(ctx, 0, u.o.Size)
	defer body.giveBack()
	h := u.headers
	answer, err := u.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &u.bucket, Key: &u.o.Key, Body: body, ContentLength: &u.o.Size, ContentType: &h.contentType,
		ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(u.sum[:])), IfNoneMatch: aws.String("*"), Metadata: h.metadata,
		Tagging: h.tags, StorageClass: h.class, ServerSideEncryption: h.encryption, SSEKMSKeyId: h.key,
	}, signedSum(u.sum))
	body.giveBack()
	switch {
	case err != nil:
		return u.failed(ctx, err)
	case aws.ToString(answer.ETag) == "":
		return Receipt{}, stranger("put", u.target, "NoETag")
	}
	return Receipt{ETag: aws.ToString(answer.ETag), VersionID: aws.ToString(answer.VersionId)}, nil
}

// stretch lends what is from one place of the body to another.
func (u *upload) stretch(ctx context.Context, from, to int64) *lent {
	return &lent{ctx: ctx, pace: u.pace, tick: u.tick, r: u.o.Body, from: from, at: from, to: to}
}

// signedSum spares the SDK to read the body once more for its signature.
func signedSum(sum [sha256.Size]byte) func(*s3.Options) {
	set := middleware.InitializeMiddlewareFunc("KnownPayloadHash", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		return next.HandleInitialize(v4.SetPayloadHash(ctx, hex.EncodeToString(sum[:])), in)
	})
	return func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error { return stack.Initialize.Add(set, middleware.Before) })
	}
}

// headers are what is said beside the bytes.
type headers struct {
	contentType string
	metadata    map[string]string
	tags        *string
	class       types.StorageClass
	encryption  types.ServerSideEncryption
	key         *string
}

// Limits of tags, https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
const (
	maxTags     = 10
	maxTagName  = 128 // characters
	maxTagValue = 256
)

func (s *S3) headers(o Object, sum [sha256.Size]byte, target string) (h headers, err error) {
	refuse := func(code, remedy string) error {
		return &Fault{Op: "put", Target: target, Code: code, Remedy: remedy, permanent: true}
	}
	h = headers{contentType: o.ContentType, metadata: map[string]string{"sha256": hex.EncodeToString(sum[:])},
		class: types.StorageClass(s.config.StorageClass), encryption: types.ServerSideEncryption(s.config.Encryption)}
	if h.contentType == "" {
		h.contentType = "application/octet-stream"
	}
	for name, value := range o.Metadata {
		h.metadata[name] = mime.QEncoding.Encode("utf-8", value) // headers are ASCII
	}
	if o.Derived != "" {
		h.metadata[derived] = mime.QEncoding.Encode("utf-8", o.Derived)
	}
	if o.StorageClass != "" {
		h.class = types.StorageClass(o.StorageClass)
	}
	key := s.config.KMSKey
	if o.Encryption != "" {
		h.encryption, key = types.ServerSideEncryption(o.Encryption), ""
	}
	if o.KMSKey != "" {
		key = o.KMSKey
	}
	if err := checkEncryption(string(h.encryption), key); err != nil {
		return h, refuse("InvalidEncryption", err.Error())
	}
	if key != "" {
		h.key = &key
	}
	tags := url.Values{}
	for name, value := range o.Tags {
		if name == "" || len([]rune(name)) > maxTagName || len([]rune(value)) > maxTagValue {
			return h, refuse("InvalidTag", fmt.Sprintf("give tags names of 1 to %d characters and values of at most %d: %.40q", maxTagName, maxTagValue, name))
		}
		tags.Set(name, value)
	}
	if len(tags) > maxTags {
		return h, refuse("TooManyTags", fmt.Sprintf("give an object at most %d tags", maxTags))
	}
	if len(tags) > 0 {
		h.tags = aws.String(strings.ReplaceAll(tags.Encode(), "+", "%20"))
	}
	return h, nil
}

// derived is the name of the metadata that hold Object.Derived.
const derived = "derived"

// failed finds out what an attempt that ended with err has left.
func (u *upload) failed(ctx context.Context, err error) (Receipt, error) {
	if httpStatus(err) == http.StatusPreconditionFailed {
		return u.compare(ctx)
	}
	f := u.account.fault("put", u.target, err)
	switch {
	case f.Code == "ConnectionLost":
		// Perhaps the answer was lost: a server that refuses a large body
		// early, because its key is taken, may hang up before we read that.
		if receipt, err := u.compare(ctx); err == nil || hasCode(err, "AlreadyExists") {
			return receipt, err
		}
	case httpStatus(err) == http.StatusBadRequest:
		if have, err := u.o.sum(ctx, u.target); err == nil && have != u.sum {
			return Receipt{}, damaged(u.target, u.sum, have)
		}
	}
	return Receipt{}, f
}

func hasCode(err error, code string) bool {
	var f *Fault
	return errors.As(err, &f) && f.Code == code
}

// vanished is the code of a key that holds nothing.
const vanished = "Vanished"

// compare finds out what the taken key holds.
func (u *upload) compare(ctx context.Context) (Receipt, error) {
	u.tick()
	head, err := u.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &u.bucket, Key: &u.o.Key, ChecksumMode: types.ChecksumModeEnabled})
	if httpStatus(err) == http.StatusNotFound {
		return Receipt{}, &Fault{Op: "put", Target: u.target, Code: vanished, Err: err,
			Remedy: "the object was deleted in between; it will be repeated"}
	}
	if err != nil {
		return Receipt{}, u.account.fault("check", u.target, err)
	}
	receipt := Receipt{ETag: aws.ToString(head.ETag), VersionID: aws.ToString(head.VersionId)}
	if u.o.Derived != "" && head.Metadata[derived] == u.headers.metadata[derived] {
		return receipt, nil
	}
	have := "metadata without sha256"
	sum := aws.ToString(head.ChecksumSHA256)
	if strings.Contains(receipt.ETag, "-") { // it went in parts: a checksum of checksums, whether or not the server marks it so
		sum = ""
	}
	if raw, err := base64.StdEncoding.DecodeString(sum); err == nil && len(raw) == len(u.sum) {
		have = "sha256 " + hex.EncodeToString(raw)
	} else if text := head.Metadata["sha256"]; text != "" {
		have = "sha256 " + strings.ToLower(text)
	}
	want := "sha256 " + hex.EncodeToString(u.sum[:])
	if have != want || aws.ToInt64(head.ContentLength) != u.o.Size {
		return Receipt{}, conflict("put", u.target, fmt.Sprintf("%s, %d bytes", want, u.o.Size),
			fmt.Sprintf("%s, %d bytes", have, aws.ToInt64(head.ContentLength)))
	}
	return receipt, nil
}
