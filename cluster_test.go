package portico_test

import (
	"slices"
	"strings"
	"testing"

	"portico"
)

func TestChooseCluster(t *testing.T) {
	t.Parallel()
	cluster := func(id string, state portico.ClusterState, most, portals int) portico.Cluster {
		return portico.Cluster{ID: id, State: state, Cap: most, Portals: portals}
	}
	for name, tt := range map[string]struct {
		all   []portico.Cluster
		avoid []string
		want  string
	}{
		"none":                       {nil, nil, ""},
		"the one":                    {[]portico.Cluster{cluster("a", portico.ClusterOpen, 9, 3)}, nil, "a"},
		"the emptiest":               {[]portico.Cluster{cluster("a", portico.ClusterOpen, 9, 3), cluster("b", portico.ClusterOpen, 9, 2)}, nil, "b"},
		"the first of equals":        {[]portico.Cluster{cluster("a", portico.ClusterOpen, 9, 2), cluster("b", portico.ClusterOpen, 9, 2)}, nil, "a"},
		"draining takes none":        {[]portico.Cluster{cluster("a", portico.ClusterOpen, 9, 3), cluster("b", portico.ClusterDraining, 9, 2)}, nil, "a"},
		"full takes none":            {[]portico.Cluster{cluster("a", portico.ClusterOpen, 9, 3), cluster("b", portico.ClusterOpen, 2, 2)}, nil, "a"},
		"all full":                   {[]portico.Cluster{cluster("a", portico.ClusterOpen, 3, 3), cluster("b", portico.ClusterOpen, 2, 3)}, nil, ""},
		"avoided":                    {[]portico.Cluster{cluster("a", portico.ClusterOpen, 9, 1), cluster("b", portico.ClusterOpen, 9, 5)}, []string{"a"}, "b"},
		"avoided first":              {[]portico.Cluster{cluster("a", portico.ClusterOpen, 9, 5), cluster("b", portico.ClusterOpen, 9, 1)}, []string{"b"}, "a"},
		"avoided, and no other":      {[]portico.Cluster{cluster("a", portico.ClusterOpen, 9, 1), cluster("b", portico.ClusterDraining, 9, 5)}, []string{"a"}, "a"},
		"all avoided: the emptiest":  {[]portico.Cluster{cluster("a", portico.ClusterOpen, 9, 4), cluster("b", portico.ClusterOpen, 9, 1)}, []string{"a", "b"}, "b"},
		"avoided is not what counts": {[]portico.Cluster{cluster("a", portico.ClusterOpen, 9, 4), cluster("b", portico.ClusterOpen, 9, 1)}, []string{"c"}, "b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := portico.ChooseCluster(tt.all, func(id string) bool { return slices.Contains(tt.avoid, id) })
			if got.ID != tt.want || ok != (tt.want != "") {
				t.Errorf("chose %q, %v; want %q", got.ID, ok, tt.want)
			}
		})
	}
}

func TestClusterName(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"a": true, "eu-1": true, strings.Repeat("x", 40): true,
		"": false, "A": false, "a b": false, "é": false, "a/b": false, strings.Repeat("x", 41): false,
	} {
		if err := portico.CheckClusterName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}
