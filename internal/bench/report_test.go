package bench

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"
)

// result is a row of the report.
type result struct {
	target, wanted, measured, verdict, times string

	profile string // of what missed
}

// report is what was measured.
type report struct{ rows []result }

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "MISSED"
}

// wantedRatio is how much of the floor's throughput the product must reach.
const wantedRatio = 0.7

func (r *report) atLeast(target, profile string, c comparison) {
	s := spreadOf(inverse(c.ratios))
	r.rows = append(r.rows, result{target, fmt.Sprintf("≥ %v × floor", wantedRatio), s.String(), verdict(s.median >= wantedRatio), c.times("floor"), profile})
}

func (r *report) atMost(target, profile string, most float64, c comparison) {
	r.atMostOf(target, profile, most, c, "floor")
}

func (r *report) atMostOf(target, profile string, most float64, c comparison, other string) {
	s := spreadOf(c.ratios)
	r.rows = append(r.rows, result{target, fmt.Sprintf("≤ %v × %s", most, other), s.String(), verdict(s.median <= most), c.times(other), profile})
}

func (r *report) info(target string, c comparison) {
	r.rows = append(r.rows, result{target, "", spreadOf(inverse(c.ratios)).String() + " × floor", "", c.times("floor"), ""})
}

func (r *report) below(target string, most float64, values []float64) {
	s := spreadOf(values)
	r.rows = append(r.rows, result{target, fmt.Sprintf("≤ %v", most), s.String(), verdict(s.median <= most), "", ""})
}

func (r *report) above(target string, least float64, values []float64) {
	s := spreadOf(values)
	r.rows = append(r.rows, result{target, fmt.Sprintf("≥ %v", least), s.String(), verdict(s.median >= least), "", ""})
}

func (r *report) plain(target, measured string) {
	r.rows = append(r.rows, result{target: target, measured: measured})
}

func (c comparison) times(other string) string {
	return quantiles(c.a) + "; " + other + " " + quantiles(c.b)
}

func (r *report) table() string {
	var b strings.Builder
	b.WriteString("| target | wanted | measured: median [min–max] | | p50 / p99 of an answer, ms |\n|---|---|---|---|---|\n")
	for _, row := range r.rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", row.target, row.wanted, row.measured, row.verdict, row.times)
	}
	return b.String()
}

const aboutReport = `# Benchmarks

Written by ` + "`make bench`" + `; do not edit. %s, %s.

Where a target names the floor, product and floor ran in turns in one process, %d pairs of stretches of a second, with one
client over loopback and kept-alive connections; client and server share the machine. The floor is a net/http handler that
does only the data work, on the same engine with the same settings, rows, commits and syncs, and without authentication,
validation, idempotency, audit of refusals, leases, logs or metrics (package internal/bench says it exactly). A ratio is
that of throughputs, or of times where it says so, of one pair; its median is what counts. The floor commits each request
by itself; the product lets requests that wait share a commit, so it can be above 1 with many connections, and the
rows with one connection show it where nothing can be shared. Answers are never cached. Memory is the process's, from /proc.

Absolute times are this machine's and depend on what else it did meanwhile, of which a wide spread tells; ratios travel better.

%s`

func (r *report) write(path string) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, aboutReport, machine(), time.Now().UTC().Format(time.DateOnly), pairs, r.table())
	for _, row := range r.rows {
		if row.verdict != "MISSED" || row.profile == "" {
			continue
		}
		fmt.Fprintf(&b, "\n## What the profile shows: %s\n\n```\n%s```\n", row.target, topOf(row.profile))
	}
	b.WriteString("\n## Again\n\n```\nmake bench\ngo test -count=1 -timeout 60m -run '^TestRatios$' ./internal/bench -args -ratios -only list -profiles DIR\n```\n\n" +
		"The second measures one group: list, invite, bulk, create, many, start, stream, guests, other, or all of postgres. CPU profiles of the product are kept in DIR.\n")
	return os.WriteFile(path, b.Bytes(), 0o644)
}

func machine() string {
	version, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	info, _ := os.ReadFile("/proc/meminfo")
	memory := "?"
	if fields := strings.Fields(string(info)); len(fields) > 1 {
		memory = fields[1]
	}
	var kib float64
	_, _ = fmt.Sscan(memory, &kib)
	release, _, _ := strings.Cut(strings.TrimSpace(string(version)), "-")
	return fmt.Sprintf("%d cores, %.0f GB of memory, %s, Linux %s", runtime.NumCPU(), kib/1e6*1.024, runtime.Version(), release)
}

// profiled keeps a CPU profile of what runs meanwhile.
func profiled(t *testing.T, name string, run func()) {
	t.Helper()
	file, err := os.Create(profilePath(name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := pprof.StartCPUProfile(file); err != nil {
		t.Fatal(err)
	}
	run()
	pprof.StopCPUProfile()
}

func profilePath(name string) string { return filepath.Join(*profiles, name+".pprof") }

// topOf returns where the product spent its time, the client left out.
func topOf(name string) string {
	out, err := exec.Command("go", "tool", "pprof", "-top", "-cum", "-nodecount=40", "-tagignore=side:client", profilePath(name)).Output()
	if err != nil {
		return err.Error() + "\n"
	}
	lines := strings.SplitAfter(string(out), "\n")
	from := max(0, slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(strings.TrimSpace(l), "flat") }))
	return strings.Join(lines[from:], "")
}
