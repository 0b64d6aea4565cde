package schema_test

import (
	"fmt"

	"portico/internal/schema"
)

type note struct {
	Title string
	Text  *string
}

// One declaration reads a request with all its errors and writes the answer.
func Example() {
	notes := schema.Object("Note",
		schema.Required("title", func(n *note) *string { return &n.Title }, schema.String().Len(1, 40)),
		schema.Optional("text", func(n *note) **string { return &n.Text }, schema.Null(schema.String()), nil),
	)
	for _, body := range []string{`{"title":"Hello"}`, `{"title":"","text":5}`} {
		doc, err := schema.ReadBody("application/json", []byte(body))
		if err != nil {
			fmt.Println(err)
			continue
		}
		n, errs := notes.Decode(doc)
		if len(errs) > 0 {
			fmt.Println(len(errs), "errors, the first:", errs)
			continue
		}
		fmt.Println(string(notes.AppendJSON(nil, &n)))
	}
	// Output:
	// {"title":"Hello","text":null}
	// 2 errors, the first: ["body","title"]: String should have at least 1 character (and 1 more)
}
