package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/goleak"

	"portico/internal/control"
	"portico/internal/failpoint"
	"portico/internal/lifecycle"
	"portico/internal/node"
	"portico/internal/store"
	"portico/internal/store/postgres"
	"portico/internal/store/sqlite"
	"portico/internal/wiretest"
)

// childEnv holds the childConfig of a child process, as JSON.
const childEnv = "PORTICO_FAULTS_CHILD"

// childConfig says how a child runs its node.
type childConfig struct {
	Dir         string
	Synchronous string
	OpenPortals int
	OpenFiles   uint64 // limit of the process; 0: as it is
	MemoryLimit int64  // bytes that the garbage collector aims at; 0: none
	MoreSteps   bool   // the portals' schema is one version newer

	AppMigrations          string // folder of the steps of the app's schema
	DatabaseURL, SecretKey string // of a registry in PostgreSQL

	SMTPURL string // empty: mail waits

	Drain time.Duration // before it ends in good order
}

// setup makes a node one that the configuration says.
func (config childConfig) setup(c *node.Config, o *node.Options) {
	o.Synchronous = config.Synchronous
	c.PublicURL = "http://localhost:8010" // the same after each restart
	c.AppMigrations, c.Drain = config.AppMigrations, config.Drain
	if config.SMTPURL != "" {
		c.SMTPURL, c.MailFrom = config.SMTPURL, "portals@example.com"
	}
	if config.DatabaseURL != "" {
		c.DatabaseURL, c.SecretKey = config.DatabaseURL, config.SecretKey
	}
	if config.OpenPortals > 0 {
		c.OpenPortals = config.OpenPortals
	}
	if config.MoreSteps {
		o.MorePortalSteps = moreSteps()
	}
}

// hello is the first line of a child on stdout.
type hello struct {
	URL, Ops, Error string
	ReadyMillis     float64
}

// points passes hits on to the set that is armed. Hits are counted from the
// arming, so that what a start-up does is not.
type points struct {
	outer *failpoint.Set
	inner atomic.Pointer[failpoint.Set]
}

// pointNames are all failpoints of the node.
func pointNames() []string {
	return slices.Concat(sqlite.FailPoints(), postgres.FailPoints(), lifecycle.FailPoints(),
		[]string{control.PointIntent, control.PointRecorded, control.PointAnswering})
}

func newPoints() *points {
	p := &points{outer: failpoint.New()}
	for _, name := range pointNames() {
		p.outer.On(name, func(ctx context.Context, _ failpoint.Point) error { return p.inner.Load().Hit(ctx, name) })
	}
	return p
}

func (p *points) arm(spec string) error {
	set, err := failpoint.Parse(spec)
	if err != nil {
		return err
	}
	names, err := failpoint.Join(pointNames())
	if err == nil && len(names.Unknown(set)) > 0 {
		err = fmt.Errorf("unknown points: %v", names.Unknown(set))
	}
	p.inner.Store(set)
	return err
}

// runChild is the main function of a child: it serves a folder and does what
// its standard input says until that ends.
func runChild(raw string) int {
	var config childConfig
	if err := json.Unmarshal([]byte(raw), &config); err != nil {
		return say(hello{Error: err.Error()}, 2)
	}
	if config.OpenFiles > 0 {
		limit := syscall.Rlimit{Cur: config.OpenFiles, Max: config.OpenFiles}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return say(hello{Error: err.Error()}, 2)
		}
	}
	if config.MemoryLimit > 0 {
		debug.SetMemoryLimit(config.MemoryLimit)
	}
	p := newPoints()
	if err := p.arm(os.Getenv(failpoint.EnvVar)); err != nil {
		return say(hello{Error: err.Error()}, 2)
	}
	before := time.Now()
	n, err := wiretest.Open(config.Dir, config.setup, func(_ *node.Config, o *node.Options) { o.Failpoints = p.outer })
	if err != nil {
		return say(hello{Error: err.Error()}, 3)
	}
	say(hello{URL: "http://" + n.Addr(), Ops: "http://" + n.OpsAddr(), ReadyMillis: float64(time.Since(before).Microseconds()) / 1000}, 0)
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		verb, rest, _ := strings.Cut(in.Text(), " ")
		switch verb {
		case "arm":
			err = p.arm(rest)
			say(report{Hits: p.inner.Load().Total()}.with(err), 0)
		case "hits":
			set := p.inner.Load()
			say(report{Hits: set.Total(), Points: set.Seen()}, 0)
		case "reconcile":
			_, err := n.Lifecycle.Reconcile(context.Background(), -1)
			say(report{}.with(err), 0)
		case "fleet":
			result, err := n.Lifecycle.MigrateFleet(context.Background(), nil)
			say(report{Fleet: result}.with(err), 0)
		case "move":
			portal, to, _ := strings.Cut(rest, " ")
			say(report{}.with(n.Lifecycle.Move(context.Background(), portal, to, nil)), 0)
		case "close":
			n.Close()
			say(report{}.with(goleak.Find()), 0)
			return 0
		case "stats":
			say(measure(), 0)
		}
	}
	return 0
}

// report is a child's answer to a line.
type report struct {
	Error             string
	Hits              int
	Points            []failpoint.Point
	Goroutines, Files int
	Fleet             lifecycle.FleetResult
}

func (r report) with(err error) report {
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

func (r report) err() error {
	if r.Error == "" {
		return nil
	}
	return errors.New(r.Error)
}

func measure() report {
	files, err := os.ReadDir("/proc/self/fd")
	return report{Goroutines: runtime.NumGoroutine(), Files: len(files)}.with(err)
}

func say(what any, code int) int {
	line, err := json.Marshal(what)
	if err != nil {
		panic(err)
	}
	_, _ = os.Stdout.Write(append(line, '\n'))
	return code
}

// moreSteps is what a newer version does to every portal's database.
func moreSteps() []store.Migration {
	return []store.Migration{{SQL: `CREATE TABLE more (n BIGINT); INSERT INTO more SELECT COUNT(*) FROM users;`}}
}
