package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// asset is a file as it is sent.
type asset struct {
	contentType string
	plain, gzip []byte
}

// assets are files that are served under the hash of their content, so that a
// browser never asks for one twice and never has an old one.
type assets struct {
	at      string
	named   map[string]string // the file's name → its address
	content map[string]asset  // its address → what is sent
}

func newAssets(at string) *assets {
	return &assets{at: at, named: map[string]string{}, content: map[string]asset{}}
}

// add takes the files of one folder that are assets by their ending.
func (a *assets) add(files fs.FS) error {
	if files == nil {
		return nil
	}
	types := map[string]string{
		".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
		".png": "image/png", ".txt": "text/plain; charset=utf-8",
	}
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		kind := types[path.Ext(entry.Name())]
		if kind == "" || entry.IsDir() {
			continue
		}
		if _, taken := a.named[entry.Name()]; taken {
			return fmt.Errorf("web: two assets are called %s", entry.Name())
		}
		content, err := fs.ReadFile(files, entry.Name())
		if err != nil {
			return err
		}
		ext := path.Ext(entry.Name())
		address := a.at + strings.TrimSuffix(entry.Name(), ext) + "." + digest(content) + ext
		a.named[entry.Name()] = address
		a.content[address] = asset{kind, content, compress(content)}
	}
	return nil
}

// address returns where an asset is served.
func (a *assets) address(name string) (string, error) {
	if address, ok := a.named[name]; ok {
		return address, nil
	}
	return "", fmt.Errorf("web: there is no asset %s", name)
}

// addresses returns where an asset and those after it are served.
func (a *assets) addresses(first string, more []string) ([]string, error) {
	all := make([]string, 1+len(more))
	for i, name := range append([]string{first}, more...) {
		var err error
		if all[i], err = a.address(name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// ServeHTTP implements http.Handler.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	file, ok := a.content[r.URL.Path]
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	case !ok:
		h.Set("Cache-Control", "no-store")
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	}
	h.Set("Content-Type", file.contentType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	sendFixed(w, r, file.plain, file.gzip)
}

// sendFixed sends what does not change in the form that the client takes, or
// says that the client has it.
func sendFixed(w http.ResponseWriter, r *http.Request, plain, packed []byte) {
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	body := plain
	if takesGzip(r) {
		body = packed
		h.Set("Content-Encoding", "gzip")
	}
	tag := `"` + digest(body) + `"`
	h.Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a reader that went away is nobody's error
	}
}

// digestLength is how much of a hash tells two versions of a file apart.
const digestLength = 8

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:digestLength])
}

func compress(plain []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // a buffer takes everything, and the level is a constant
	}
	return out.Bytes()
}

// takesGzip reports whether the client names gzip and does not refuse it.
func takesGzip(r *http.Request) bool {
	for value := range strings.SplitSeq(strings.Join(r.Header["Accept-Encoding"], ","), ",") {
		coding, parameters, _ := strings.Cut(strings.TrimSpace(value), ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		q, found := strings.CutPrefix(strings.ReplaceAll(parameters, " ", ""), "q=")
		weight, err := strconv.ParseFloat(q, 64)
		return !found || (err == nil && weight > 0)
	}
	return false
}
