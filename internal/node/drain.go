package node

import (
	"net/http"
	"time"
)

// drain goes on serving for as long as a balancer needs to see that the node is
// not ready any more. Nothing is sent to it then when its listener closes: a
// request that meets a closing connection is lost, and only some may be
// repeated.
func (n *Node) drain() {
	n.leaving.Store(true)
	if n.Config.Drain > 0 {
		<-time.After(n.Config.Drain)
	}
}

// parting has clients give up their connections to a node that ends, each with
// the answer to its last request on it.
func (n *Node) parting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.leaving.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
