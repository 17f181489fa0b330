package camera

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"inspector"
)

// A still is one picture of a source, or why there is none.
type still struct {
	pixels  inspector.Pixels
	name    string
	at      time.Time // of capture; zero means now
	release func()
	err     error
}

// sink is where a source delivers.
type sink interface {
	opened() // the source works, even if no still comes yet
	deliver(context.Context, still) error
}

// source knows how to read stills and nothing of retries: stream returns when
// ctx ends, when deliver fails, when the source fails, or nil at its end.
type source struct {
	name   string // without credentials
	live   bool   // shows what is there now: whoever is late misses it
	stream func(context.Context, sink) error
}

var (
	userinfo   = regexp.MustCompile(`://\S*@`)
	query      = regexp.MustCompile(`(://[^\s"'?]*)\?[^\s"']+`)
	properties = regexp.MustCompile(`(?i)\b((?:user|proxy)-(?:id|pw)|password|cookies)\s*=\s*("[^"]*"|'[^']*'|\S+)`)
)

// Redact returns a camera source without the credentials it may hold: user and
// password, the query of a URL, and the like properties of a pipeline.
func Redact(source string) string {
	source = userinfo.ReplaceAllString(source, "://***@")
	source = query.ReplaceAllString(source, "$1?***")
	return properties.ReplaceAllString(source, "$1=***")
}

// open understands c.Source, whose forms Config lists. It opens nothing yet.
func open(c Config) (source, error) {
	text := strings.TrimSpace(string(c.Source))
	scheme, rest, _ := strings.Cut(text, ":")
	switch {
	case text == "":
		return source{}, errors.New("camera source is empty: set it to simulated, folder:PATH, a video file, /dev/video0 or the URL of a camera")
	case text == "simulated":
		if c.Draw == nil {
			return source{}, errors.New("camera source simulated: nothing is there that draws its boards")
		}
		return source{name: text, stream: drawn(c)}, nil
	case isNumber(text):
		return device("/dev/video"+text, c)
	case strings.HasPrefix(text, "/dev/"):
		return device(text, c)
	case scheme == "folder":
		return folderSource(rest, c)
	case scheme == "gstreamer":
		return pipeline(rest, c)
	case scheme == "file":
		return videoFile(strings.TrimPrefix(rest, "//"), c)
	case strings.Contains(text, "://"):
		return stream(text, c)
	default:
		return videoFile(text, c)
	}
}

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 8)
	return err == nil
}

// options splits PATH?a=b&c=d and refuses options that are not allowed.
func options(text string, allowed ...string) (path string, q url.Values, err error) {
	path, rest, _ := strings.Cut(text, "?")
	if path == "" {
		return "", nil, fmt.Errorf("camera source %q names no path", text)
	}
	if q, err = url.ParseQuery(rest); err != nil {
		return "", nil, fmt.Errorf("camera source %q: %w", text, err)
	}
	for name := range q {
		if !slices.Contains(allowed, name) {
			return "", nil, fmt.Errorf("camera source %q: no option %q; there are %s", text, name, strings.Join(allowed, ", "))
		}
	}
	return path, q, nil
}

// mode is the option mode of q, by default the first of allowed.
func mode(q url.Values, allowed ...string) (string, error) {
	m := q.Get("mode")
	if m == "" {
		m = allowed[0]
	}
	if !slices.Contains(allowed, m) {
		return "", fmt.Errorf("mode %q is not one of %s", m, strings.Join(allowed, ", "))
	}
	return m, nil
}

func folderSource(text string, c Config) (source, error) {
	dir, q, err := options(text, "mode", "match")
	if err != nil {
		return source{}, err
	}
	m, err := mode(q, "once", "loop", "watch")
	if err != nil {
		return source{}, fmt.Errorf("camera source folder:%s: %w", text, err)
	}
	match := q.Get("match")
	if match == "" {
		match = "*"
	}
	if _, err := path.Match(match, ""); err != nil {
		return source{}, fmt.Errorf("camera source folder:%s: pattern %q: %w", text, match, err)
	}
	f := &folder{dir: dir, match: match, maxPixels: c.MaxPixels}
	streams := map[string]func(context.Context, sink) error{"once": f.once, "loop": f.loop, "watch": f.watch}
	return source{name: "folder:" + text, stream: streams[m]}, nil
}

// drawn draws a still each period. What cannot be drawn is a bad still.
func drawn(c Config) func(context.Context, sink) error {
	buffers := &pool{}
	var n uint64
	return func(ctx context.Context, out sink) error {
		for ; ; n++ {
			p, name, err := c.Draw(n)
			s := still{name: name, err: err}
			if err == nil {
				s = buffers.still(p, name)
			}
			if err := out.deliver(ctx, s); err != nil {
				return err
			}
			if sleep(ctx, c.Period); ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
	}
}
