package wiretest

import (
	"portico/internal/node"
	"portico/internal/store/storetest"
)

// Statements counts what is asked of a server's registry. Setup is given to
// Start or Open.
type Statements struct{ storetest.Counter }

// Setup makes a server's statements be counted.
func (s *Statements) Setup(_ *node.Config, o *node.Options) { o.Watch = s.Watch }
