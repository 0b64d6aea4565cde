package web

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"strings"
	"time"
)

type requestKey struct{}

// RequestID returns the id that Watch gave to a request; empty without one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// Watch wraps all of a front's pages: each answer carries an X-Request-Id, is
// logged by its route (never by its address, which may be a secret) and told to
// observe, which may be nil. A path that no route can have is not found, before
// ServeMux could redirect it. A handler that panics is a page that says so.
func (p *Pages) Watch(observe func(route string, status int, took time.Duration), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		id := strings.ToLower(rand.Text())
		w.Header().Set("X-Request-Id", id)
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, id))
		answer := &Recorder{ResponseWriter: w}
		defer func() {
			if cause := recover(); cause != nil {
				if cause == http.ErrAbortHandler { //nolint:errorlint // compared as net/http does
					panic(cause)
				}
				p.config.Log.Error("a page panicked", "request", id, "cause", cause, "stack", string(debug.Stack()))
				if answer.Status == 0 {
					p.Fail(answer, r, broken)
				}
			}
			took := time.Since(began)
			if observe != nil {
				observe(r.Pattern, answer.Status, took)
			}
			p.config.Log.LogAttrs(r.Context(), slog.LevelInfo, "page", slog.String("request", id),
				slog.String("method", r.Method), slog.String("route", r.Pattern), slog.Int("status", answer.Status), slog.Duration("took", took))
		}()
		if !cleanPath(r) {
			p.Fail(answer, r, NoPage())
			return
		}
		next.ServeHTTP(answer, r)
	})
}

// NoPage returns the problem of an address that leads nowhere.
func NoPage() Problem {
	return Problem{
		Status: http.StatusNotFound, Title: "There is no such page",
		Text: "The address may be mistyped, or what was here is gone.",
	}
}

// cleanPath reports whether the path is one that a route could have. A
// parameter may hold anything but a slash.
func cleanPath(r *http.Request) bool {
	p := r.URL.Path
	return strings.HasPrefix(p, "/") && p == path.Clean(p) && strings.Count(p, "/") == strings.Count(r.URL.EscapedPath(), "/")
}
