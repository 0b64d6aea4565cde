package console

import (
	"strconv"
	"time"

	"portico"
	"portico/internal/control"
	"portico/internal/web"
)

// creationPage is how a portal comes to be, and did.
type creationPage struct {
	control.PortalCreation

	Making, GivenUp bool
	URL, Path       string
	Crumbs          []web.Link
	Took            string // in all; empty where that is not known
	Rows            []stageRow
}

// stageRow is a stage in words.
type stageRow struct{ Text, Took string }

// stageTexts say what was done; an engine has those stages that it needs.
var stageTexts = map[portico.StageName]string{
	portico.StageReserved: "Name and address reserved",
	portico.StageDatabase: "Database made, with its tables",
	portico.StageRights:   "Closed to everybody but its app",
	portico.StageIdentity: "Marked as this portal’s own",
	portico.StageMarker:   "Signed off as complete",
	portico.StageDurable:  "Safe on disk",
	portico.StageSchema:   "The app’s tables made",
}

func (c *Console) showCreation(q *request) error {
	made, err := c.control.Creation(q.ctx(), q.by, q.param("portal"))
	if err != nil {
		return err
	}
	page := creationPage{
		PortalCreation: made, Path: "/portals/" + made.ID,
		Making: made.State == portico.PortalCreating, GivenUp: made.State == portico.PortalAborting,
	}
	title := "The portal could not be made"
	if !page.GivenUp {
		title, page.URL = made.Name, c.control.PortalURL(made.Portal)
	}
	page.Crumbs = []web.Link{{Href: "/portals", Text: "Portals"}, {Href: page.Path + "/creation", Text: title, Current: true}}
	var all time.Duration
	for _, s := range made.Stages {
		page.Rows = append(page.Rows, stageRow{stageTexts[s.Name], millis(s.Took)})
		all += s.Took
	}
	if all > 0 {
		page.Took = millis(all)
	}
	return q.show("portal-creation", title, page)
}

// millis writes a time in milliseconds, short ones with a tenth.
func millis(d time.Duration) string {
	if d >= 100*time.Millisecond {
		return count(int(d.Round(time.Millisecond).Milliseconds())) + " ms"
	}
	return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 1, 64) + " ms"
}
