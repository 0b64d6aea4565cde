package portico

import "time"

// StageName says which part of making a portal a Stage is.
type StageName string

// The stages, in the order in which they come. An engine has those that it
// needs.
const (
	StageReserved StageName = "reserved" // name and address are the portal's
	StageDatabase StageName = "database" // made, with our tables
	StageRights   StageName = "rights"   // closed to everybody but the portal's app
	StageIdentity StageName = "identity" // whose it is stands in it
	StageMarker   StageName = "marker"   // it says so on the outside too: it is whole
	StageDurable  StageName = "durable"  // it and its name outlive a loss of power
	StageSchema   StageName = "schema"   // the app's tables are in it
)

// Stage is a part of making a portal, and how long it took, with what had to be
// done again.
type Stage struct {
	Name StageName     `json:"name"`
	Took time.Duration `json:"took"` // nanoseconds
}
