package lifecycle

import (
	"log/slog"
	"time"
)

// standing is what the reconciler's last pass left, which somebody has to look
// at. A finding is the same one as long as each pass sees it again.
type standing struct {
	findings map[matter]bool
	at       time.Time // when the pass ended; zero before the first
}

// matter is what makes two findings the same.
type matter struct {
	remedy                      Remedy
	portalID, database, cluster string
}

func (f Finding) matter() matter { return matter{f.Remedy, f.PortalID, f.Database, f.Cluster} }

// note keeps what a pass left, and logs what the pass before did not leave.
func (l *Lifecycle) note(left []Finding) {
	now := standing{findings: make(map[matter]bool, len(left)), at: l.store.Now()}
	for _, f := range left {
		now.findings[f.matter()] = true
	}
	l.mu.Lock()
	before := l.standing
	l.standing = now
	l.mu.Unlock()
	for _, f := range left {
		if !before.findings[f.matter()] {
			f.log(l.log)
		}
	}
}

func (f Finding) log(log *slog.Logger) {
	about := []any{"remedy", f.Remedy, "portal", f.PortalID, "database", f.Database, "cluster", f.Cluster, "bytes", f.Size, "finding", f.Text}
	switch {
	case f.cause != nil:
		log.Error("a finding of the reconciler cannot be mended now and is tried again", append(about, "error", f.cause)...)
	case f.Remedy == RemedyQuarantine:
		log.Error("the registry knows nothing of so many databases that none is set aside: was an older registry put in place?", about...)
	default:
		log.Warn("the reconciler found something that a person must judge", about...)
	}
}

// Standing returns how many findings the reconciler's last pass left, by
// remedy, and when it ended: the zero time before the first.
func (l *Lifecycle) Standing() (left map[Remedy]int, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	left = make(map[Remedy]int, len(Remedies()))
	for _, r := range Remedies() {
		left[r] = 0
	}
	for m := range l.standing.findings {
		left[m.remedy]++
	}
	return left, l.standing.at
}
