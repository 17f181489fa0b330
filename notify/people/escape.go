package people

import (
	"net/url"
	"reflect"
	"time"

	"inspector"
)

// escaped is the message with every text in it escaped; addresses are made safe
// to stand within a link.
func escaped(m Message, escape func(string) string) Message {
	return walk(reflect.ValueOf(m), escape).Interface().(Message)
}

var timeType, linkType, itemType = reflect.TypeFor[time.Time](), reflect.TypeFor[Link](), reflect.TypeFor[Item]()

// walk gives a copy of v with escape applied to its texts.
func walk(v reflect.Value, escape func(string) string) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch {
	case v.Type() == timeType:
	case v.Kind() == reflect.String:
		out.SetString(escape(v.String()))
	case v.Kind() == reflect.Pointer && !v.IsNil():
		p := reflect.New(v.Type().Elem())
		p.Elem().Set(walk(v.Elem(), escape))
		out.Set(p)
	case v.Kind() == reflect.Slice && !v.IsNil() && v.Type().Elem().Kind() != reflect.Uint8:
		all := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			all.Index(i).Set(walk(v.Index(i), escape))
		}
		out.Set(all)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			out.Field(i).Set(walk(v.Field(i), escape))
		}
		if t := v.Type(); t == linkType || t == itemType {
			out.FieldByName("URL").SetString(escape(address(v.FieldByName("URL").String())))
		}
	}
	return out
}

// address is a URL of the web without signs that end a link; any other is none.
func address(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return ""
	}
	return linkSigns.Replace(u.String())
}

// samples are the fullest messages there are, for templates to be tried on.
func samples() []Message {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	station := inspector.Station{Site: "site", Line: "line1", Device: "inspector1"}
	board := OfBoard(inspector.Inspection{
		ID: "inspector1-5f3a9c01-42", Station: station, At: at, Serial: "SN <42> & \"more\"", Recipe: "main-board", Model: "pcb/3@0d1e", Verdict: inspector.Fail,
		Reason: "short 0.97 is at or above the fail limit 0.60", Score: 0.97,
		Defects:  []inspector.Defect{{Class: "short", Score: 0.97, Box: inspector.Box{Left: 402, Top: 118, Right: 431, Bottom: 140}}},
		Evidence: []inspector.Blob{{Kind: "image"}},
	}, "inspector1-5f3a9c01-42/Tell/3", "http://192.0.2.10:8080")
	board.Rule, board.Reminder = "failed", 1
	event := OfEvent(Event{Type: "Camera State Change", Source: "inspector", At: at, Detail: map[string]any{"state": "lost", "error": "no frame"}}, station, "k", "http://192.0.2.10:8080")
	return []Message{board, event, DigestOf([]Message{board, event, board}, ByRecipe, "http://192.0.2.10:8080"), Test(station, "line", "k", "", at)}
}
