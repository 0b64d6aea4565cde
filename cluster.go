package portico

import "time"

// ClusterState says whether a cluster takes new portals.
type ClusterState string

// The states. Full is not set but found: an open cluster that has reached its
// cap.
const (
	ClusterOpen     ClusterState = "open"
	ClusterDraining ClusterState = "draining" // takes none; what it holds goes on
	ClusterFull     ClusterState = "full"
)

// Limits of a cluster's cap. PostgreSQL recovers a crash of so many databases
// in seconds where it is set up as docs/operations.md says.
const (
	DefaultClusterCap = 2000
	MaxClusterCap     = 100000
)

// FirstCluster is the name of the registry's own server among the clusters.
const FirstCluster = "first"

// Cluster is a PostgreSQL server that holds portals' databases.
type Cluster struct {
	ID        string
	Name      string
	State     ClusterState // open or draining
	Cap       int          // the most portals
	Portals   int          // that it holds, those on their way among them
	CreatedAt time.Time
}

// Standing returns the state with the cap taken into account.
func (c Cluster) Standing() ClusterState {
	if c.State == ClusterOpen && c.Portals >= c.Cap {
		return ClusterFull
	}
	return c.State
}

// ChooseCluster returns the cluster that the next portal's database is to be
// made on: the open one with the fewest portals, of those that are not avoided
// as long as there is one. ok is false when no cluster takes any.
func ChooseCluster(all []Cluster, avoid func(id string) bool) (chosen Cluster, ok bool) {
	avoided := false
	for _, c := range all {
		if c.Standing() != ClusterOpen {
			continue
		}
		shun := avoid(c.ID)
		better := !ok || avoided && !shun || avoided == shun && c.Portals < chosen.Portals
		if better {
			chosen, ok, avoided = c, true, shun
		}
	}
	return chosen, ok
}

// maxClusterName is the longest name of a cluster.
const maxClusterName = 40

// CheckClusterName refuses a name that is not lower-case letters, digits and
// hyphens.
func CheckClusterName(name string) error {
	for _, r := range name {
		if r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') {
			name = ""
		}
	}
	if name == "" || len(name) > maxClusterName {
		return Errorf(KindInvalid, "A cluster's name is 1 to %d lower-case letters, digits and hyphens.", maxClusterName)
	}
	return nil
}
