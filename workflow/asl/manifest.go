package asl

import (
	"encoding/json"
	"strings"
)

// A location is where bytes lie.
type location struct{ bucket, key string }

func (p location) uri() string { return "S3://" + p.bucket + "/" + p.key }

// manifest gives the files that an S3 inventory names, and their columns.
func manifest(text string) (files []location, columns []string, err error) {
	var m struct {
		DestinationBucket, FileFormat, FileSchema string
		Files                                     []struct{ Key string }
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return nil, nil, readerError("The manifest could not be read: %v", err)
	}
	if m.FileFormat != "CSV" {
		return nil, nil, readerError("The manifest's files are in the format %q: only CSV is supported.", m.FileFormat)
	}
	for _, f := range m.Files {
		files = append(files, location{strings.TrimPrefix(m.DestinationBucket, "arn:aws:s3:::"), f.Key})
	}
	for _, column := range strings.Split(m.FileSchema, ",") {
		columns = append(columns, strings.TrimSpace(column))
	}
	return files, columns, nil
}

// athenaManifest gives the files that a manifest of Athena's UNLOAD names: one
// s3://BUCKET/KEY a line.
func athenaManifest(text string) (files []location, err error) {
	for line := range strings.Lines(text) {
		line = strings.Trim(strings.TrimSpace(line), `"`)
		if line == "" {
			continue
		}
		rest, ok := strings.CutPrefix(line, "s3://")
		bucket, key, ok2 := strings.Cut(rest, "/")
		if !ok || !ok2 {
			return nil, readerError("The manifest has a line that is no s3://BUCKET/KEY: %s", shorten([]byte(line)))
		}
		files = append(files, location{bucket, key})
	}
	return files, nil
}
