package upstream

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Limits of an upload in parts, https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const (
	maxPart  = 5 << 30 // bytes
	maxParts = 10_000
)

// inParts sends the object in parts. What a former attempt left, before a power
// cut say, is gone on with: a part is not sent again if the server has the
// same bytes. What cannot be gone on with is aborted, so that nobody pays for
// it.
func (u *upload) inParts(ctx context.Context) (Receipt, error) {
	receipt, err := u.compare(ctx)                                           // before much is sent in vain
	if err == nil || !hasCode(err, vanished) && !hasCode(err, "Forbidden") { // who may not list is not told what is missing
		return receipt, err
	}
	m := &multipart{upload: u, whole: sha256.New(), digests: sha256.New(),
		size: max(u.config.Multipart, (u.o.Size+maxParts-1)/maxParts)}
	if err := m.begin(ctx); err != nil {
		return Receipt{}, u.account.fault("put", u.target, err)
	}
	receipt, err = m.send(ctx)
	if err == nil {
		return receipt, nil
	}
	f := u.account.fault("put", u.target, err)
	if m.hopeless(f, err) {
		m.abort(ctx, m.id)
	}
	switch {
	case httpStatus(err) == http.StatusPreconditionFailed:
		return u.compare(ctx)
	case f.Code == "ConnectionLost": // perhaps of the answer to the last word
		if receipt, err := u.compare(ctx); err == nil || hasCode(err, "AlreadyExists") {
			return receipt, err
		}
	}
	return Receipt{}, f
}

// A multipart is an upload in parts under way.
type multipart struct {
	*upload
	size    int64 // bytes of a part; the last may have fewer
	id      string
	blind   bool                 // nobody tells what was left: what breaks is aborted
	left    map[int32]types.Part // by number, from a former attempt
	whole   hash.Hash            // of the bytes
	digests hash.Hash            // of the parts' hashes
	parts   []types.CompletedPart
}

// begin finds the newest upload that a former attempt left of this key, and
// aborts older ones, or begins a new one.
func (m *multipart) begin(ctx context.Context) error {
	m.tick()
	answer, err := m.client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &m.bucket, Prefix: &m.o.Key})
	if m.blind = err != nil; m.blind && !classify("list", m.target, err).permanent {
		return err
	}
	var newest time.Time
	var old []string
	if err == nil {
		for _, u := range answer.Uploads {
			if aws.ToString(u.Key) != m.o.Key {
				continue
			}
			id := aws.ToString(u.UploadId)
			if at := aws.ToTime(u.Initiated); m.id == "" || at.After(newest) {
				id, m.id, newest = m.id, id, at
			}
			if id != "" {
				old = append(old, id)
			}
		}
	}
	for _, id := range old {
		m.abort(ctx, id)
	}
	if m.id != "" {
		if m.left, err = m.leftParts(ctx); err == nil {
			return nil
		}
		m.abort(ctx, m.id)
	}
	return m.create(ctx)
}

func (m *multipart) create(ctx context.Context) error {
	m.tick()
	h := m.headers
	answer, err := m.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &m.bucket, Key: &m.o.Key, ContentType: &h.contentType, ChecksumAlgorithm: types.ChecksumAlgorithmSha256, Metadata: h.metadata,
		Tagging: h.tags, StorageClass: h.class, ServerSideEncryption: h.encryption, SSEKMSKeyId: h.key,
	})
	if err != nil {
		return err
	}
	if m.id = aws.ToString(answer.UploadId); m.id == "" {
		return stranger("put", m.target, "NoUploadID")
	}
	return nil
}

// leftParts are the parts that the server has.
func (m *multipart) leftParts(ctx context.Context) (map[int32]types.Part, error) {
	left := map[int32]types.Part{}
	pages := s3.NewListPartsPaginator(m.client, &s3.ListPartsInput{Bucket: &m.bucket, Key: &m.o.Key, UploadId: &m.id})
	for n := 0; pages.HasMorePages() && n < maxParts; n++ {
		m.tick()
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range page.Parts {
			left[aws.ToInt32(p.PartNumber)] = p
		}
	}
	return left, nil
}

// send sends what the server has not, and has it put together.
func (m *multipart) send(ctx context.Context) (Receipt, error) {
	for from := int64(0); from < m.o.Size; from += m.size {
		if err := m.part(ctx, int32(len(m.parts)+1), from, min(from+m.size, m.o.Size)); err != nil {
			return Receipt{}, err
		}
	}
	if have := [sha256.Size]byte(m.whole.Sum(nil)); have != m.sum {
		return Receipt{}, damaged(m.target, m.sum, have)
	}
	m.tick()
	answer, err := m.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &m.bucket, Key: &m.o.Key, UploadId: &m.id, IfNoneMatch: aws.String("*"),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: m.parts}, MpuObjectSize: &m.o.Size,
		ChecksumType: types.ChecksumTypeComposite, ChecksumSHA256: aws.String(fmt.Sprintf("%s-%d", encoded(m.digests), len(m.parts))),
	})
	switch {
	case err != nil:
		return Receipt{}, err
	case aws.ToString(answer.ETag) == "":
		return Receipt{}, stranger("put", m.target, "NoETag")
	}
	return Receipt{ETag: aws.ToString(answer.ETag), VersionID: aws.ToString(answer.VersionId)}, nil
}

func encoded(h hash.Hash) string { return base64.StdEncoding.EncodeToString(h.Sum(nil)) }

// part sends one part, unless the server has it.
func (m *multipart) part(ctx context.Context, number int32, from, to int64) error {
	hash := sha256.New()
	if _, err := m.o.Body.Seek(from, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.CopyN(io.MultiWriter(hash, m.whole), reader{ctx, m.o.Body}, to-from); err != nil {
		return cmp.Or(ctx.Err(), err)
	}
	sum, size := [sha256.Size]byte(hash.Sum(nil)), to-from
	m.digests.Write(sum[:])
	done := types.CompletedPart{PartNumber: &number, ChecksumSHA256: aws.String(encoded(hash))}
	if p, ok := m.left[number]; ok && aws.ToInt64(p.Size) == size && aws.ToString(p.ChecksumSHA256) == *done.ChecksumSHA256 {
		done.ETag = p.ETag
		m.parts = append(m.parts, done)
		return nil
	}
	body := m.stretch(ctx, from, to)
	defer body.giveBack()
	m.tick()
	answer, err := m.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &m.bucket, Key: &m.o.Key, UploadId: &m.id, PartNumber: &number, Body: body, ContentLength: &size, ChecksumSHA256: done.ChecksumSHA256,
	}, signedSum(sum))
	switch {
	case err != nil:
		return err
	case aws.ToString(answer.ETag) == "":
		return stranger("put", m.target, "NoETag")
	}
	done.ETag = answer.ETag
	m.parts = append(m.parts, done)
	return nil
}

// hopeless reports that the next attempt cannot go on with what is there.
func (m *multipart) hopeless(f *Fault, err error) bool {
	switch f.Code {
	case "InvalidPart", "InvalidPartOrder", "EntityTooSmall", "BadDigest", "ConditionalRequestConflict":
		return true
	}
	return m.blind || f.permanent || httpStatus(err) == http.StatusPreconditionFailed
}

// abort lets the server forget an upload. Whether it does is not our trouble:
// the next attempt finds what is left.
func (m *multipart) abort(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	m.tick()
	_, _ = m.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &m.bucket, Key: &m.o.Key, UploadId: &id})
}
