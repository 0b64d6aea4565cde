package sqlite

import (
	"fmt"
	"log/slog"

	"golang.org/x/sys/unix"
)

const (
	// leastFiles is the limit of open files below which nothing is started.
	leastFiles = 64
	// filesPerHandle is what an open portal takes at most: for each of its
	// three connections the database and its WAL, and the shared memory once.
	filesPerHandle = 7
	// filesForOthers is what sockets, the registry and the rest may take, half
	// of all where there are few.
	filesForOthers = 256
)

// fitHandles raises the process's limit of open files as far as it may and
// returns how many handles fit into it.
func fitHandles(want int, log *slog.Logger) (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("read the limit of open files: %w", err)
	}
	if limit.Cur < limit.Max {
		raised := unix.Rlimit{Cur: limit.Max, Max: limit.Max}
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil {
			limit.Cur = limit.Max
		}
	}
	fit, err := handlesFor(uint64(limit.Cur), want) //nolint:unconvert // the type differs between systems
	if err == nil && fit < want {
		log.Warn("few open files are allowed: fewer portals are kept open",
			"limit", limit.Cur, "handles", fit, "wanted", want)
	}
	return fit, err
}

func handlesFor(files uint64, want int) (int, error) {
	if files < leastFiles {
		return 0, fmt.Errorf("the limit of open files is %d; portico needs at least %d: raise it (ulimit -n, LimitNOFILE)", files, leastFiles)
	}
	fit := (files - min(files/2, filesForOthers)) / filesPerHandle
	return int(min(fit, uint64(want))), nil
}
