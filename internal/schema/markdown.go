package schema

import "strings"

// Markdown returns a table of the object's members, followed by an example
// when one can be made.
func (m *Model[T]) Markdown() string {
	var b strings.Builder
	if m.doc != "" {
		b.WriteString(m.doc + "\n\n")
	}
	b.WriteString("| field | type | required | description |\n|---|---|---|---|\n")
	for _, part := range m.self.members {
		b.WriteString("| `" + part.name + "` | " + cell(part.shape.words))
		if part.shape.limits != "" {
			b.WriteString(", " + cell(part.shape.limits))
		}
		switch {
		case part.required:
			b.WriteString(" | yes | ")
		case part.standard != nil:
			b.WriteString(" | no, `" + cell(string(part.standard)) + "` | ")
		default:
			b.WriteString(" | no | ")
		}
		b.WriteString(cell(part.doc) + " |\n")
	}
	if example := m.Example(); example != nil {
		b.WriteString("\n```json\n")
		b.Write(example)
		b.WriteString("\n```\n")
	}
	return b.String()
}

// cell keeps text from ending the cell of a table.
func cell(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "|", "\\|"), "\n", " ")
}
