// Package client is the Go SDK of Portico's API: portals, their guests, and
// what the command line does with them. It needs the standard library only and
// imports nothing of ours, so that a user's go.mod grows by nothing else.
//
// Every write carries an Idempotency-Key, so a call that was cut off is sent
// again without happening twice. An error that the service answered with is an
// *Error.
//
// Start with New, then portals.go and guests.go; audit.go has the log.
package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The limits of a call that is sent again.
const (
	attempts   = 4
	firstPause = 200 * time.Millisecond
	longest    = 15 * time.Second // pause that a server may ask for; longer ones are the caller's to wait for
	maxAnswer  = 64 << 20
	pageSize   = 500
)

// Client calls one Portico service with one token. It is safe for concurrent
// use.
type Client struct {
	base  string
	token string
	http  *http.Client
	agent string
}

// Option changes how a Client works.
type Option func(*Client)

// WithHTTPClient makes calls go through a client of the caller's. Its time-out
// must leave room for a portal that takes half a minute to be created.
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = h } }

// WithUserAgent sets the User-Agent header.
func WithUserAgent(agent string) Option { return func(c *Client) { c.agent = agent } }

// New returns a client of the service at base, such as
// https://portals.example.com, with or without /v1 at its end. token is a
// personal access token or an access token of a production organization's
// administrator.
func New(base, token string, options ...Option) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, fmt.Errorf("client: %q is no address such as https://portals.example.com", base)
	}
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("client: the token is missing or not one")
	}
	c := &Client{
		base: strings.TrimSuffix(strings.TrimRight(base, "/"), "/v1"), token: token,
		http: &http.Client{Timeout: time.Minute}, agent: "portico-go",
	}
	for _, option := range options {
		option(c)
	}
	return c, nil
}

type keyContext struct{}

// WithIdempotencyKey makes the next write under the context use a key of the
// caller's, 1 to 255 visible ASCII characters, so that a program that was
// restarted can repeat it. One key is for one write: without one, each write
// has a fresh key.
func WithIdempotencyKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, keyContext{}, key)
}

func idempotencyKey(ctx context.Context) string {
	if key, ok := ctx.Value(keyContext{}).(string); ok {
		return key
	}
	return rand.Text()
}

// call sends one request and returns the answer.
func call[T any](ctx context.Context, c *Client, method, path string, in any) (*T, error) {
	out := new(T)
	if _, err := c.exchange(ctx, method, path, in, out); err != nil {
		return nil, err
	}
	return out, nil
}

// exchange sends a request, decodes the answer into out unless that is nil, and
// returns the answer's header. What did not reach the service, and what it
// could not do just now, is sent again.
func (c *Client) exchange(ctx context.Context, method, path string, in, out any) (http.Header, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, err
		}
	}
	key := ""
	if method != http.MethodGet {
		key = idempotencyKey(ctx)
	}
	pause := firstPause
	for attempt := 1; ; attempt++ {
		header, err := c.send(ctx, method, path, key, body, out)
		wait, again := retryAfter(err, pause)
		if !again || attempt == attempts || wait > longest {
			return header, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, errors.Join(ctx.Err(), err)
		case <-timer.C:
		}
		pause *= 2
	}
}

func (c *Client) send(ctx context.Context, method, path, key string, body []byte, out any) (http.Header, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", c.agent)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return answer.Header, readError(answer, raw)
	}
	if out == nil {
		return answer.Header, nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return nil, fmt.Errorf("client: the answer of %s %s is not what the API promises: %w", method, path, err)
	}
	return answer.Header, nil
}

// list goes through the pages of a list.
func list[T any](ctx context.Context, c *Client, path string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		query.Set("limit", strconv.Itoa(pageSize))
		for next := path + "?" + query.Encode(); next != ""; {
			var page []T
			header, err := c.exchange(ctx, http.MethodGet, next, nil, &page)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range page {
				if !yield(item, nil) {
					return
				}
			}
			next = nextPage(header.Get("Link"))
		}
	}
}

// nextPage returns the path that a Link header (RFC 8288) calls next. Anything
// but a path of this service is no page.
func nextPage(link string) string {
	target, rest, ok := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	if !ok || !strings.Contains(rest, `rel="next"`) || !strings.HasPrefix(target, "/v1/") {
		return ""
	}
	return target
}

// Collect returns everything that a list yields, or the error that ended it.
func Collect[T any](all iter.Seq2[T, error]) ([]T, error) {
	items := []T{}
	for item, err := range all {
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}
