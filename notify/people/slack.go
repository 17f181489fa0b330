package people

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"inspector/notify"
)

// blocks are the message in Slack's form; its picture is not among them.
func blocks(l *Layout, m Message) (object, error) {
	sections, err := l.sections(m)
	if err != nil {
		return nil, err
	}
	all := []object{}
	for _, s := range sections {
		all = append(all, object{"type": "section", "text": object{"type": "mrkdwn", "text": s, "verbatim": true}})
	}
	buttons := []object{}
	for n, link := range m.Links {
		if u := address(link.URL); u != "" && len(u) <= 3000 && n < 5 {
			buttons = append(buttons, object{"type": "button", "action_id": "link-" + strconv.Itoa(n), "url": u, "text": object{"type": "plain_text", "text": shorten(link.Title, 75)}})
		}
	}
	if len(buttons) > 0 {
		all = append(all, object{"type": "actions", "elements": buttons})
	}
	subject, err := l.Subject(m)
	return object{"text": slackEscape(subject), "blocks": all}, err
}

type object = map[string]any

// A slackHook posts by an incoming webhook, which takes no picture.
type slackHook struct {
	hook   *notify.Slack
	layout *Layout
}

func newSlackHook(c Slack, l *Layout) *slackHook { return &slackHook{notify.NewSlack(c.URLFile), l} }

func (h *slackHook) send(ctx context.Context, m Message) (Receipt, error) {
	b, err := blocks(h.layout, m)
	if err != nil {
		return Receipt{}, err
	}
	payload, err := json.Marshal(b)
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{}, h.hook.Send(ctx, m.Key, payload)
}

// A slackApp posts by Slack's methods, with the token of a bot.
type slackApp struct {
	config Slack
	layout *Layout
	http   *http.Client

	mu    sync.Mutex
	until time.Time // Slack asked for a pause
}

func newSlackApp(c Slack, l *Layout) *slackApp {
	c.API = strings.TrimRight(cmp.Or(c.API, "https://slack.com/api"), "/")
	return &slackApp{config: c, layout: l, http: client()}
}

// send posts the message, then its picture into its thread. A message whose
// picture did not get there is sent nonetheless: the receipt says so.
func (a *slackApp) send(ctx context.Context, m Message) (Receipt, error) {
	b, err := blocks(a.layout, m)
	if err != nil {
		return Receipt{}, err
	}
	b["channel"], b["unfurl_links"], b["unfurl_media"] = a.config.Channel, false, false
	b["metadata"] = object{"event_type": "inspector_message", "event_payload": object{"key": m.Key, "kind": m.Kind}}
	var posted struct{ Channel, TS string }
	if err := a.ask(ctx, "chat.postMessage", b, &posted); err != nil {
		return Receipt{}, err
	}
	r := Receipt{ID: posted.TS}
	if m.Picture != nil && posted.TS != "" {
		if err := a.upload(ctx, *m.Picture, m.Title, cmp.Or(posted.Channel, a.config.Channel), posted.TS); err != nil {
			r.Note = "without its picture: " + err.Error()
		}
	}
	return r, nil
}

// upload puts a picture into the thread of a message: Slack gives an address,
// takes the bytes there, and shows them once it is told that they are all.
func (a *slackApp) upload(ctx context.Context, p Picture, title, channel, thread string) error {
	var place struct {
		URL  string `json:"upload_url"`
		File string `json:"file_id"`
	}
	form := url.Values{"filename": {p.Name}, "length": {strconv.Itoa(len(p.Data))}}
	if err := a.ask(ctx, "files.getUploadURLExternal", form, &place); err != nil {
		return err
	}
	if safeURL(place.URL) != nil {
		return &Error{To: "Slack", Reason: "it gave no safe address for the picture", Remedy: "check slack.api"}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, place.URL, bytes.NewReader(p.Data))
	if err != nil {
		return &Error{To: "Slack", Reason: "it gave no usable address for the picture", Remedy: "check slack.api"}
	}
	r.Header.Set("Content-Type", p.Type)
	answer, err := a.http.Do(r)
	if err != nil {
		return unsent(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return a.answered(answer, "", time.Now())
	}
	done := object{"files": []object{{"id": place.File, "title": title}}, "channel_id": channel, "thread_ts": thread}
	return a.ask(ctx, "files.completeUploadExternal", done, nil)
}

// ask calls a method of Slack's: with JSON, or with a form. out gets the answer
// of one that went well.
func (a *slackApp) ask(ctx context.Context, method string, in, out any) error {
	a.mu.Lock()
	pause := time.Until(a.until)
	a.mu.Unlock()
	if pause > 0 {
		return &Error{To: "Slack", Reason: fmt.Sprintf("it asked for a pause of another %v", pause.Round(time.Second)), Remedy: "it will be repeated", status: http.StatusTooManyRequests}
	}
	r, err := a.request(ctx, method, in)
	if err != nil {
		return err
	}
	answer, err := a.http.Do(r)
	if err != nil {
		return unsent(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return unsent(err)
	}
	var said struct {
		OK     bool
		Error  string
		Needed string
	}
	if json.Unmarshal(body, &said) != nil || answer.StatusCode != http.StatusOK {
		return a.answered(answer, said.Error, time.Now())
	}
	if !said.OK {
		return a.refused(answer, said.Error, said.Needed)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(body, out)
}

func (a *slackApp) request(ctx context.Context, method string, in any) (*http.Request, error) {
	token, err := secret(a.config.TokenFile)
	if err != nil {
		return nil, &Error{To: "Slack", Reason: err.Error(), Remedy: "write the bot token on the first line of that file; it will be repeated"}
	}
	kind, body := "application/json; charset=utf-8", []byte(nil)
	if form, ok := in.(url.Values); ok {
		kind, body = "application/x-www-form-urlencoded", []byte(form.Encode())
	} else if body, err = json.Marshal(in); err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.config.API+"/"+method, bytes.NewReader(body))
	if err != nil {
		return nil, &Error{To: "Slack", Reason: "its address is not usable", Remedy: "correct slack.api", permanent: true}
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("User-Agent", "inspector")
	r.Header.Set("Authorization", "Bearer "+string(token))
	return r, nil
}

// answered rules on an answer that is not one of Slack's methods, or not well.
func (a *slackApp) answered(answer *http.Response, word string, now time.Time) error {
	status := answer.StatusCode
	e := &Error{To: "Slack", Reason: fmt.Sprintf("it answered %d", status), Remedy: "it will be repeated", status: status}
	switch {
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		a.heed(answer, now)
		e.Reason, e.Remedy = fmt.Sprintf("it answered %d", status), "it asks for a pause; it will be repeated"
	case status == http.StatusOK:
		e.Reason, e.Remedy = "what answered is not Slack", "check slack.api and the network (a proxy that wants a log-in?); it will be repeated"
	case status/100 == 3:
		e.Remedy, e.permanent = "it sends us elsewhere: correct slack.api, then redrive", true
	case status < 500 && status != http.StatusRequestTimeout:
		e.Remedy, e.permanent = "check the token in its file and slack.api, then redrive", true
	}
	if wordForm(word) {
		e.Reason += " (" + word + ")"
	}
	return e
}

// heed keeps to a Retry-After of at most an hour.
func (a *slackApp) heed(answer *http.Response, now time.Time) {
	seconds, err := strconv.ParseUint(answer.Header.Get("Retry-After"), 10, 31)
	if err != nil {
		seconds = 1
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.until = now.Add(min(time.Duration(seconds)*time.Second, time.Hour))
}

// wordForm reports one of Slack's words, such as channel_not_found.
func wordForm(s string) bool {
	return s != "" && len(s) <= 60 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") == ""
}

// refused rules on ok: false, by Slack's word for the reason.
func (a *slackApp) refused(answer *http.Response, word, needed string) error {
	e := &Error{To: "Slack", Reason: word, permanent: true}
	if !wordForm(word) {
		e.Reason = "it refused without a word for it"
	}
	switch word {
	case "ratelimited", "rate_limited":
		a.heed(answer, time.Now())
		e.Remedy, e.permanent = "it asks for a pause; it will be repeated", false
	case "internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org":
		e.Remedy, e.permanent = "it will be repeated", false
	case "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "no_permission", "org_login_required":
		e.Remedy = "put a valid bot token into its file (it was withdrawn, or is another workspace's), then redrive"
	case "missing_scope":
		e.Remedy = "give the app the scopes chat:write, files:write and files:read, install it again, then redrive"
		if wordForm(strings.NewReplacer(":", "_", ",", "_", ".", "_").Replace(needed)) {
			e.Reason += " (" + needed + ")"
		}
	case "channel_not_found":
		e.Remedy = "correct slack.channel: the ID is at the end of the channel's link; then redrive"
	case "not_in_channel":
		e.Remedy = "invite the app in that channel (/invite @APP), then redrive"
	case "is_archived":
		e.Remedy = "the channel is archived: name another in slack.channel, then redrive"
	case "msg_too_long", "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "no_text":
		e.Remedy = "it does not take such a message: correct the template slack.tmpl, then redrive"
	default:
		e.Remedy = "Slack's page of the method says what the word means; mend it, then redrive"
	}
	return e
}

// unsent is the error of a message without an answer. What net/http says names
// the address, so only its cause is shown.
func unsent(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	e := &Error{To: "Slack", Reason: "no answer: " + err.Error(), Remedy: "check the network and this machine's proxy; it will be repeated"}
	switch {
	case errors.Is(err, context.Canceled):
		e.Reason = "interrupted"
	case errors.Is(err, context.DeadlineExceeded), u != nil && u.Timeout():
		e.Reason = "no answer in time"
	}
	return e
}
