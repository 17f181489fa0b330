package main

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"inspector"
	"inspector/upstream"
)

// defaultKey is where an object of a board is kept in the bucket.
const defaultKey = "{prefix}/{site}/{line}/{device}/{recipe}/{yyyy}/{mm}/{dd}/{id}/{file}"

var (
	keyField  = regexp.MustCompile(`\{([^{}]*)\}`)
	keyFields = []string{"prefix", "site", "line", "device", "recipe", "yyyy", "mm", "dd", "id", "file"}
	unfitting = regexp.MustCompile(`[^A-Za-z0-9._-]+`)
)

// addKeyFaults says what is wrong with a pattern of keys.
func addKeyFaults(f *faults, pattern string) {
	used := map[string]bool{}
	for _, m := range keyField.FindAllStringSubmatch(pattern, -1) {
		f.want(slices.Contains(keyFields, m[1]), "upstream.key", "{%s} is unknown; want some of {%s}", m[1], strings.Join(keyFields, "}, {"))
		used[m[1]] = true
	}
	f.want(used["id"] && used["file"], "upstream.key", "%q must have {id} and {file}, or boards would share a key", pattern)
	rest := keyField.ReplaceAllString(pattern, "")
	f.want(!strings.ContainsAny(rest, "{}") && len(pattern) <= 256, "upstream.key", "%.60q: want at most 256 characters, and braces only around a name", pattern)
}

// key is where a file of the board is kept in the bucket. The date is that of
// the board, in UTC. It is pure, and the same for ever.
func (u UpstreamConfig) key(i inspector.Inspection, file string) string {
	at := i.At.UTC()
	fit := func(s string) string { return cmp.Or(unfitting.ReplaceAllString(s, "_"), "_") }
	values := map[string]string{"prefix": strings.Trim(u.Prefix, "/"), "site": fit(i.Station.Site), "line": fit(i.Station.Line), "device": fit(i.Station.Device),
		"recipe": fit(i.Recipe), "yyyy": at.Format("2006"), "mm": at.Format("01"), "dd": at.Format("02"), "id": fit(i.ID), "file": file}
	key := keyField.ReplaceAllStringFunc(cmp.Or(u.Key, defaultKey), func(field string) string { return values[strings.Trim(field, "{}")] })
	return strings.TrimPrefix(key, "/")
}

// probe is a small object that is put as those of boards are: who may list a
// bucket may yet not write, tag or encrypt. It is the same each time.
func (u UpstreamConfig) probe() upstream.Object {
	const text = "inspector doctor was here; whoever may delete this can\n"
	o := upstream.Object{Key: strings.TrimPrefix(strings.Trim(u.Prefix, "/")+"/doctor.txt", "/"), ContentType: "text/plain", Body: strings.NewReader(text), Size: int64(len(text))}
	if u.S3.Tags {
		o.Tags = map[string]string{"verdict": "none"}
	}
	return o
}

// extensions are those of pictures, by media type.
var extensions = map[string]string{"image/jpeg": ".jpg", "image/png": ".png"}

// keys are where the files of the board are kept in the bucket.
func (u UpstreamConfig) keys(i inspector.Inspection) map[string]string {
	image := "image"
	for _, b := range i.Evidence {
		if b.Kind == "image" {
			image += extensions[b.Type]
		}
	}
	return map[string]string{"image": u.key(i, image), "overlay": u.key(i, "overlay.jpg"), "record": u.key(i, "inspection.json")}
}

var unfitForTag = regexp.MustCompile(`[^\p{L}\p{N} +=._:/@-]+`)

// tags are those of the board's objects, as S3 writes them; empty: none. The
// class is that of the defect with the highest score.
func (u UpstreamConfig) tags(i inspector.Inspection) string {
	if !u.S3.Tags {
		return ""
	}
	class, score := "none", float32(-1)
	for _, d := range i.Defects {
		if d.Score > score {
			class, score = d.Class, d.Score
		}
	}
	fit := func(s string) string {
		r := []rune(unfitForTag.ReplaceAllString(s, "_"))
		return cmp.Or(string(r[:min(len(r), 256)]), "none")
	}
	return url.Values{"verdict": {fit(string(i.Verdict))}, "class": {fit(class)}, "model": {fit(i.Model)}}.Encode()
}
