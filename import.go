package portico

import "time"

// ImportState is how far an import has come.
type ImportState string

// The states of an import.
const (
	ImportDraft   ImportState = "draft"   // shown with what inviting would do
	ImportSending ImportState = "sending" // worked off, part by part
	ImportDone    ImportState = "done"
	ImportStopped ImportState = "stopped" // what was not worked off never will be
)

// The limits of an import. A part is what one call may hold.
const (
	MaxImportRows  = 20000
	ImportPartRows = MaxRecipients
	ImportLife     = 30 * 24 * time.Hour // from its last change; it holds addresses
)

// Import is a list of recipients that an administrator gave to the console, to
// be invited part by part whatever becomes of the browser.
type Import struct {
	ID             string
	OrganizationID string
	PortalID       string
	CreatedBy      string
	State          ImportState
	Message        string
	SendEmail      bool
	Rows           int
	Parts          int
	NextPart       int // the first that is not worked off
	Counts         map[Verdict]int
	Suggestions    int // rows with one
	Problem        string
	CreatedAt      time.Time
	ModifiedAt     time.Time
}

// ImportRow is a line of an import: what it said, and the verdict, foreseen
// until its part is worked off.
type ImportRow struct {
	Line       int     `json:"line"`
	Email      string  `json:"email"`
	FirstName  string  `json:"first_name"`
	LastName   string  `json:"last_name"`
	Verdict    Verdict `json:"verdict"`
	Detail     string  `json:"detail"`
	Suggestion string  `json:"suggestion"` // for an invalid address: a likely one
}

// Worth reports whether inviting the row can have an effect: its address is
// one, and no earlier row has it.
func (r ImportRow) Worth() bool {
	return r.Verdict != VerdictDuplicate && (r.Verdict != VerdictFailed || r.Detail != DetailInvalidAddress)
}
