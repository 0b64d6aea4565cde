package node

import (
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"

	"portico"
	"portico/internal/store"
	"portico/internal/web"
)

//go:embed fleetpages/*
var fleetFiles embed.FS

// fleet shows the operator where portals are: a page of the operations
// listener.
type fleet struct {
	store *store.Store
	pages *web.Pages
}

// The frame of the picture, in its own units.
const (
	fleetWidth = 640
	fleetLeft  = 170
	fleetStep  = 40
	fleetBar   = 26
)

// fleetPage is the fleet as the page draws it, and tells it.
type fleetPage struct {
	Width, Height, Left, Bar int
	Rows                     []fleetRow
	States                   []fleetState
	Portals                  int
	Text                     string
}

// fleetRow is a storage with its portals.
type fleetRow struct {
	Name, State string
	Portals     int
	Cap         int // 0: none
	Share       int // of the cap, in percent
	Y, TextY    int
	Width, Room int // of its portals, and of what it may hold
}

// Kind is how its bar is coloured.
func (r fleetRow) Kind() string {
	switch {
	case r.State == string(portico.ClusterDraining):
		return "warn"
	case r.Cap > 0 && r.Portals >= r.Cap:
		return "bad"
	}
	return "good"
}

// fleetState is how many portals are in a state.
type fleetState struct {
	State portico.PortalState
	Count int
}

func newFleet(n *Node) (*fleet, error) {
	files, err := fs.Sub(fleetFiles, "fleetpages")
	if err != nil {
		return nil, err
	}
	pages, err := web.Open(web.Config{Brand: "Portico operations", Home: "/fleet", Files: files, Log: n.Log})
	if err != nil {
		return nil, err
	}
	return &fleet{n.Store, pages}, nil
}

// ServeHTTP implements http.Handler.
func (f *fleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var clusters []store.ClusterRow
	var states map[portico.PortalState]int
	err := f.store.View(r.Context(), func(tx *store.Tx) (err error) {
		if clusters, err = tx.Clusters(); err != nil {
			return err
		}
		states, err = tx.CountPortals()
		return err
	})
	if err != nil {
		f.pages.Fail(w, r, web.Problem{Status: http.StatusServiceUnavailable, Title: "The registry cannot be read now", Text: portico.MessageOf(err)})
		return
	}
	f.pages.Render(w, r, "fleet", web.Page{Title: "Fleet", Data: drawFleet(clusters, states)})
}

// drawFleet draws each storage as a bar, all on one scale. Without clusters
// there is one: this machine's folder.
func drawFleet(clusters []store.ClusterRow, states map[portico.PortalState]int) fleetPage {
	p := fleetPage{Width: fleetWidth, Left: fleetLeft, Bar: fleetBar}
	for state, n := range states {
		p.Portals += n
		p.States = append(p.States, fleetState{state, n})
	}
	slices.SortFunc(p.States, func(a, b fleetState) int { return strings.Compare(string(a.State), string(b.State)) })
	for _, c := range clusters {
		p.Rows = append(p.Rows, fleetRow{Name: c.Name, State: string(c.State), Portals: c.Portals, Cap: c.Cap})
	}
	if len(clusters) == 0 {
		p.Rows = []fleetRow{{Name: "data folder", State: string(portico.ClusterOpen), Portals: p.Portals}}
	}
	longest := 1
	for _, r := range p.Rows {
		longest = max(longest, r.Portals, r.Cap)
	}
	var told []string
	for i := range p.Rows {
		r := &p.Rows[i]
		r.Y, r.TextY = i*fleetStep, i*fleetStep+fleetBar-8
		r.Width = r.Portals * (fleetWidth - fleetLeft) / longest
		r.Room = max(r.Portals, r.Cap) * (fleetWidth - fleetLeft) / longest
		text := fmt.Sprintf("%s holds %d", r.Name, r.Portals)
		if r.Cap > 0 {
			r.Share = r.Portals * 100 / r.Cap
			text += fmt.Sprintf(" of %d", r.Cap)
		}
		told = append(told, text)
	}
	p.Height = len(p.Rows)*fleetStep - (fleetStep - fleetBar)
	p.Text = fmt.Sprintf("%d portals: %s.", p.Portals, strings.Join(told, ", "))
	return p
}
