package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// Cluster is a server that the registry lists.
type Cluster struct {
	ID       string
	URL      string // empty: the registry's own server
	ServerID string // what the server calls itself; a server that is another is refused
	Err      error  // why its address cannot be read; the others are served
}

// clusters are the servers of an engine by their ids in the registry's list.
// The registry's own server is there without a list, under the empty id too.
type clusters struct {
	own  *server
	list func(context.Context) ([]Cluster, error) // nil: there are no others
	make func(Cluster) (*server, error)
	log  *slog.Logger

	mu      sync.Mutex
	others  map[string]*server // own under a second name among them
	failed  map[string]error   // why one that is listed is not served at what the list says
	begun   int                // readings of the list, the last one's number
	applied int                // the number of the reading that others is from
}

// at returns the server of a cluster, known to be one that we can use.
func (c *clusters) at(ctx context.Context, id string) (*server, error) {
	s := c.known(id)
	if s == nil {
		if err := c.refresh(ctx); err != nil {
			return nil, err
		}
		if s = c.known(id); s == nil {
			return nil, c.absent(id)
		}
	}
	return s, s.ready(ctx)
}

func (c *clusters) known(id string) *server {
	if id == "" {
		return c.own
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.others[id]
}

// absent is why there is no server of a cluster.
func (c *clusters) absent(id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.failed[id]; err != nil {
		return unavailable(err)
	}
	return unavailable(fmt.Errorf("postgres: the registry lists no cluster %q", id))
}

// refresh reads the registry's list: servers that are new, that are gone, and
// those that have another address, a new password in it perhaps. Of readings
// side by side the one that began last counts: an older one would take a new
// server away again. A cluster whose entry is not right is told of in the log,
// and an error for who asks for it.
func (c *clusters) refresh(ctx context.Context) error {
	if c.list == nil {
		return nil
	}
	c.mu.Lock()
	c.begun++
	number := c.begun
	c.mu.Unlock()
	listed, err := c.list(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if number < c.applied {
		return nil
	}
	c.applied = number
	before, told := c.others, c.failed
	c.others, c.failed = make(map[string]*server, len(listed)), map[string]error{}
	for _, cluster := range listed {
		s, err := c.update(before[cluster.ID], cluster)
		if err != nil {
			c.failed[cluster.ID] = err
			if last := told[cluster.ID]; last == nil || last.Error() != err.Error() {
				c.log.Warn("the listed address of a cluster cannot be used", "cluster", cluster.ID, "error", err)
			}
		}
		if s != nil {
			c.others[cluster.ID] = s
		}
		delete(before, cluster.ID)
	}
	var all error
	for _, gone := range before {
		if gone != c.own {
			all = errors.Join(all, gone.close())
		}
	}
	return all
}

// update returns the server of a cluster as it is listed now, and the one that
// there was where its address cannot be read.
func (c *clusters) update(s *server, listed Cluster) (*server, error) {
	switch {
	case listed.Err != nil:
		return s, listed.Err
	case listed.URL == "":
		return c.own, nil
	case s == nil:
		return c.make(listed)
	}
	return s, s.move(listed)
}

// close closes every server's connections for administration.
func (c *clusters) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.own.close()
	for _, s := range c.others {
		if s != c.own {
			err = errors.Join(err, s.close())
		}
	}
	return err
}

// Probe looks whether the server at an address can hold portals' databases, and
// returns what it calls itself. The error says what to do.
func (e *Engine) Probe(ctx context.Context, url string) (serverID string, err error) {
	s, err := e.newServer(Cluster{URL: url})
	if err != nil {
		return "", err
	}
	defer s.close() //nolint:errcheck // nothing is left to lose
	if err := s.ready(ctx); err != nil {
		return "", err
	}
	return s.facts.Load().serverID, nil
}

// OwnServer returns what the registry's own server calls itself.
func (e *Engine) OwnServer() string { return e.clusters.own.facts.Load().serverID }
