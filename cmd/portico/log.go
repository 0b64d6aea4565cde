package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"regexp"
)

// log returns the logger of this run: text for a person, JSON for a machine,
// both on standard error and without anybody's address.
func (p *program) log(level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: newRedactor().replace}
	if _, ok := terminal(p.stderr); ok {
		return slog.New(slog.NewTextHandler(p.stderr, options))
	}
	return slog.New(slog.NewJSONHandler(p.stderr, options))
}

// redactor replaces addresses of people by a mark that is the same for one
// address as long as the process lives, and tells nothing to who has no key.
type redactor struct {
	key     []byte
	address *regexp.Regexp
}

func newRedactor() *redactor {
	r := &redactor{key: make([]byte, 32), address: regexp.MustCompile(`[^\s"'<>:;,()]+@[^\s"'<>:;,()]+`)}
	rand.Read(r.key) // never returns an error: the program stops instead
	return r
}

func (r *redactor) replace(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(r.redact(a.Value.String()))
	case slog.KindAny:
		switch v := a.Value.Any().(type) {
		case error:
			a.Value = slog.StringValue(r.redact(v.Error()))
		case fmt.Stringer:
			a.Value = slog.StringValue(r.redact(v.String()))
		}
	}
	return a
}

func (r *redactor) redact(text string) string {
	return r.address.ReplaceAllStringFunc(text, func(address string) string {
		mac := hmac.New(sha256.New, r.key)
		mac.Write([]byte(address))
		return "address:" + hex.EncodeToString(mac.Sum(nil)[:6])
	})
}
