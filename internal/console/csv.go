package console

import (
	"encoding/csv"
	"net/http"
	"time"

	"portico"
)

// table is a CSV file on its way to the browser. Its head is sent with the
// first rows that are flushed, so that what fails before them is a page.
type table struct {
	q     *request
	name  string
	lines *csv.Writer
	began bool
}

// csv begins a file of that name with its column heads.
func (q *request) csv(name string, columns ...string) *table {
	t := &table{q: q, name: name}
	t.lines = csv.NewWriter(t)
	t.lines.UseCRLF = true
	t.row(columns...)
	return t
}

// Write implements io.Writer.
func (t *table) Write(p []byte) (int, error) {
	if !t.began {
		t.began = true
		h := t.q.w.Header()
		h.Set("Content-Type", "text/csv; charset=utf-8")
		h.Set("Content-Disposition", `attachment; filename="`+t.name+`"`)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		t.q.w.WriteHeader(http.StatusOK)
	}
	return t.q.w.Write(p)
}

// row adds a row. No cell of it is a formula to a spreadsheet.
func (t *table) row(cells ...string) {
	for i := range cells {
		cells[i] = portico.SafeCell(cells[i])
	}
	_ = t.lines.Write(cells) // kept, and returned by flush
}

// writePatience is how long a reader may take for a part of a long file.
const writePatience = 30 * time.Second

// flush sends what there is. A reader that takes too long loses the rest.
func (t *table) flush() error {
	_ = http.NewResponseController(t.q.w).SetWriteDeadline(time.Now().Add(writePatience)) // a test's writer has none
	t.lines.Flush()
	return t.lines.Error()
}

// end sends the rest. After the first rows an error can only cut the file: the
// reader must not take a part for the whole.
func (t *table) end(err error) error {
	if err == nil {
		err = t.flush()
	}
	if err != nil && t.began {
		panic(http.ErrAbortHandler)
	}
	return err
}

// stamp writes a time for a machine; none is empty.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
