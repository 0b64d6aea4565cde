package node

import (
	"testing"

	"portico"
	"portico/internal/store"
)

func TestDrawFleet(t *testing.T) {
	t.Parallel()
	cluster := func(name string, state portico.ClusterState, portals, most int) store.ClusterRow {
		return store.ClusterRow{Cluster: portico.Cluster{Name: name, State: state, Portals: portals, Cap: most}}
	}
	states := make(map[portico.PortalState]int)
	states[portico.PortalActive], states[portico.PortalUnavailable] = 149, 1
	p := drawFleet([]store.ClusterRow{
		cluster("first", portico.ClusterOpen, 50, 200), cluster("second", portico.ClusterDraining, 100, 100),
	}, states)
	if len(p.Rows) != 2 || p.Rows[0].Width >= p.Rows[1].Width || p.Rows[0].Room != p.Width-p.Left || p.Rows[0].Share != 25 || p.Rows[1].Kind() != "warn" {
		t.Errorf("rows: %+v", p.Rows)
	}
	if p.Text != "150 portals: first holds 50 of 200, second holds 100 of 100." {
		t.Errorf("text: %s", p.Text)
	}
	if p := drawFleet(nil, states); len(p.Rows) != 1 || p.Rows[0].Portals != 150 || p.Rows[0].Width != p.Width-p.Left || p.Rows[0].Kind() != "good" {
		t.Errorf("without clusters: %+v", p.Rows)
	}
	if p := drawFleet(nil, nil); p.Rows[0].Width != 0 || p.Portals != 0 {
		t.Errorf("nothing: %+v", p)
	}
}
