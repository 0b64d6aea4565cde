package sqlite

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// reserveSize is what is kept for the transactions that free space.
const reserveSize = 512 << 10

// reserve is a file that holds room on the storage. When the registry cannot
// write any more it is removed: in low-space mode only what frees space may
// use the room. Each second at most one update tries to take the room again,
// which ends the mode.
type reserve struct {
	folder *folder
	log    *slog.Logger
	now    func() time.Time

	isLow atomic.Bool
	mu    sync.Mutex
	tried time.Time
}

// keep makes the reserve at start. Without room for it the engine starts in
// low-space mode.
func (r *reserve) keep() {
	info, err := r.folder.root.Lstat(reserveName)
	if err == nil && info.Mode().IsRegular() && info.Size() == reserveSize {
		return
	}
	if err := r.take(); err != nil {
		r.log.Warn("no room for the reserve: starting in low-space mode", "error", err)
		r.isLow.Store(true)
	}
}

// release gives the room up and enters low-space mode. It reports false when
// that had happened already.
func (r *reserve) release() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tried = r.now()
	if r.isLow.Swap(true) {
		return false
	}
	err := r.folder.root.Remove(reserveName)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	r.log.Error("the storage is full: only what frees space is accepted until there is room", "error", err)
	return true
}

// low reports whether the engine is in low-space mode, after trying to leave it.
func (r *reserve) low() bool {
	if !r.isLow.Load() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if since := r.now().Sub(r.tried); !r.isLow.Load() || since >= 0 && since < time.Second {
		return r.isLow.Load()
	}
	r.tried = r.now()
	if err := r.take(); err != nil {
		return true
	}
	r.isLow.Store(false)
	r.log.Info("there is room again: the reserve is back")
	return false
}

// take allocates the reserve: random bytes, so that no file system can store
// them in less.
func (r *reserve) take() (err error) {
	content := make([]byte, reserveSize)
	if _, err := rand.Read(content); err != nil {
		return err
	}
	f, err := r.folder.root.OpenFile(reserveName, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		err = errors.Join(err, r.folder.root.Remove(reserveName))
	}
	return err
}
