package schema

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
)

// IsJSON reports whether a Content-Type header announces JSON: application/json
// or any application/*+json, in any case and with any parameters.
func IsJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	kind, sub, _ := strings.Cut(strings.ToLower(strings.TrimSpace(media)), "/")
	return kind == "application" && !strings.Contains(sub, "/") && (sub == "json" || strings.HasSuffix(sub, "+json"))
}

// ReadBody reads a request's body. One that is not announced as JSON is the
// string that it spells, so that a declaration refuses it and shows it. The
// error is ErrUnreadable or an Errors: both come before the question who asks;
// that a body is empty is for Decode to say.
func ReadBody(contentType string, body []byte) (*Document, error) {
	if len(body) == 0 {
		return &Document{in: "body", empty: true}, nil
	}
	if !IsJSON(contentType) {
		return Parse(AppendString(make([]byte, 0, len(body)+2), string(body)))
	}
	return Parse(body)
}

// ReadForm reads a body of application/x-www-form-urlencoded or
// multipart/form-data as an object of strings. Fields that are empty count as
// missing, the last of equal names wins, files are left out, and a body of
// another type has no fields. The error is ErrUnreadable.
func ReadForm(contentType string, body []byte) (*Document, error) {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return newParams("body", nil), nil //nolint:nilerr // a type that cannot be read is no form: it has no fields
	}
	var pairs [][2]string
	switch media {
	case "application/x-www-form-urlencoded":
		pairs = queryPairs(string(body))
	case "multipart/form-data":
		if pairs, err = parts(body, params["boundary"]); err != nil {
			return nil, ErrUnreadable
		}
	}
	filled := pairs[:0]
	for _, pair := range pairs {
		if pair[1] != "" {
			filled = append(filled, pair)
		}
	}
	return newParams("body", filled), nil
}

// ReadQuery reads the query of a URL as an object of strings whose locations
// begin with "query". The last of equal names wins.
func ReadQuery(rawQuery string) *Document {
	return newParams("query", queryPairs(rawQuery))
}

func newParams(in string, pairs [][2]string) *Document {
	d := &Document{in: in, flat: true}
	d.nodes = make([]node, 1, 1+2*len(pairs))
	var text strings.Builder
	for _, pair := range pairs {
		for _, s := range pair {
			s = strings.ToValidUTF8(s, "\uFFFD")
			start := int32(text.Len())
			raw := AppendString(nil, s)
			raw = raw[1 : len(raw)-1]
			text.Write(raw)
			d.nodes = append(d.nodes, node{
				kind:    kindString,
				escaped: bytes.IndexByte(raw, '\\') >= 0,
				start:   start,
				end:     int32(text.Len()),
				next:    int32(len(d.nodes)) + 1,
			})
		}
	}
	d.text = text.String()
	d.nodes[0] = node{kind: kindObject, next: int32(len(d.nodes)), count: int32(len(pairs))}
	return d
}

// queryPairs reads what a browser sends, and keeps a percent sign that begins
// no escape.
func queryPairs(raw string) [][2]string {
	var pairs [][2]string
	for raw != "" {
		var field string
		field, raw, _ = strings.Cut(raw, "&")
		if field == "" {
			continue
		}
		name, value, _ := strings.Cut(field, "=")
		pairs = append(pairs, [2]string{unescape(name), unescape(value)})
	}
	return pairs
}

func unescape(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+3 <= len(s) {
			if plain, err := url.PathUnescape(s[i : i+3]); err == nil {
				out = append(out, plain...)
				i += 2
				continue
			}
		}
		if s[i] == '+' {
			out = append(out, ' ')
			continue
		}
		out = append(out, s[i])
	}
	return string(out)
}

func parts(body []byte, boundary string) ([][2]string, error) {
	var pairs [][2]string
	if boundary == "" || !bytes.Contains(body, []byte("--"+boundary)) {
		return nil, errors.New("no boundary")
	}
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return pairs, nil
		}
		if err != nil {
			return nil, err
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		if part.FileName() == "" && part.FormName() != "" {
			pairs = append(pairs, [2]string{part.FormName(), string(value)})
		}
	}
}
