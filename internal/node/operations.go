package node

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"portico"
	"portico/internal/lifecycle"
	"portico/internal/mail"
	"portico/internal/store"
)

// metrics is what the node counts. No label names a tenant: labels are routes,
// statuses and states, all of them few.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
}

func newMetrics(core *Core) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portico_requests_total", Help: "Answers by route and status.",
		}, []string{"route", "status"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "portico_request_seconds", Help: "Time from first byte to answer, by route.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 30},
		}, []string{"route"}),
	}
	for _, o := range mail.Outcomes() {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "portico_mails_total", Help: "Turns of mails by outcome: sent, bounced, retried, delayed by a rule, dropped by one.",
			ConstLabels: prometheus.Labels{"outcome": string(o)},
		}, func() float64 { return float64(core.Mail.Counts()[o]) }))
	}
	m.registry.MustRegister(m.requests, m.took, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &registryCollector{core.Store},
		&reconcilerCollector{core.Lifecycle})
	return m
}

func (m *metrics) observe(route string, status int, took time.Duration) {
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.took.WithLabelValues(route).Observe(took.Seconds())
}

// registryCollector reads what the registry knows when it is asked.
type registryCollector struct{ store *store.Store }

func (c *registryCollector) portals() *prometheus.Desc {
	return prometheus.NewDesc("portico_portals", "Portals by state.", []string{"state"}, nil)
}

func (c *registryCollector) outbox() *prometheus.Desc {
	return prometheus.NewDesc("portico_outbox_waiting", "Mails that wait to be sent.", nil, nil)
}

func (c *registryCollector) outboxAge() *prometheus.Desc {
	return prometheus.NewDesc("portico_outbox_age_seconds", "Age of the oldest mail that waits.", nil, nil)
}

func (c *registryCollector) jobs() *prometheus.Desc {
	return prometheus.NewDesc("portico_jobs_waiting", "Jobs that wait to be run.", nil, nil)
}

// Describe implements prometheus.Collector.
func (c *registryCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.portals(), c.outbox(), c.outboxAge(), c.jobs()} {
		out <- d
	}
}

// Collect implements prometheus.Collector. A registry that does not answer
// leaves its metrics out.
func (c *registryCollector) Collect(out chan<- prometheus.Metric) {
	var states map[portico.PortalState]int
	var waiting, jobs int
	var oldest time.Time
	err := c.store.View(context.Background(), func(tx *store.Tx) (err error) {
		if states, err = tx.CountPortals(); err != nil {
			return err
		}
		if jobs, err = tx.CountJobs(); err != nil {
			return err
		}
		waiting, oldest, err = tx.OutboxDepth()
		return err
	})
	if err != nil {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for state, n := range states {
		gauge(c.portals(), float64(n), string(state))
	}
	age := 0.0
	if waiting > 0 {
		age = c.store.Now().Sub(oldest).Seconds()
	}
	gauge(c.outbox(), float64(waiting))
	gauge(c.outboxAge(), age)
	gauge(c.jobs(), float64(jobs))
}

// reconcilerCollector tells what the reconciler's last pass left.
type reconcilerCollector struct{ lifecycle *lifecycle.Lifecycle }

func (c *reconcilerCollector) findings() *prometheus.Desc {
	return prometheus.NewDesc("portico_findings", "Findings that the reconciler's last pass left, by what they call for.", []string{"remedy"}, nil)
}

func (c *reconcilerCollector) reconciled() *prometheus.Desc {
	return prometheus.NewDesc("portico_reconciled_timestamp_seconds", "When the reconciler's last whole pass ended; 0 before the first.", nil, nil)
}

// Describe implements prometheus.Collector.
func (c *reconcilerCollector) Describe(out chan<- *prometheus.Desc) {
	out <- c.findings()
	out <- c.reconciled()
}

// Collect implements prometheus.Collector.
func (c *reconcilerCollector) Collect(out chan<- prometheus.Metric) {
	left, at := c.lifecycle.Standing()
	for remedy, n := range left {
		out <- prometheus.MustNewConstMetric(c.findings(), prometheus.GaugeValue, float64(n), string(remedy))
	}
	seconds := 0.0
	if !at.IsZero() {
		seconds = float64(at.UnixMilli()) / 1000
	}
	out <- prometheus.MustNewConstMetric(c.reconciled(), prometheus.GaugeValue, seconds)
}

// operations returns the handler of the operations listener. It tells about the
// installation and belongs on a private address.
func (n *Node) operations() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeChecks(w, map[string]string{"process": "ok"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		writeChecks(w, n.ready(r.Context()))
	})
	mux.Handle("GET /fleet", n.fleet)
	mux.Handle("GET "+n.fleet.pages.AssetPath(), n.fleet.pages.Assets())
	mux.Handle("GET /metrics", promhttp.HandlerFor(n.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// ready returns each check by name: "ok", or what is wrong.
func (n *Node) ready(ctx context.Context) map[string]string {
	if n.leaving.Load() {
		return map[string]string{"serving": "ending"}
	}
	checks := map[string]string{"registry": "ok", "storage": "ok"}
	err := n.Store.View(ctx, func(tx *store.Tx) error {
		_, err := tx.CountJobs()
		return err
	})
	if err != nil {
		checks["registry"] = "not readable"
	}
	if err := n.Store.Update(ctx, func(*store.Tx) error { return nil }); err != nil {
		checks["storage"] = portico.KindOf(err).String()
	}
	return checks
}

func writeChecks(w http.ResponseWriter, checks map[string]string) {
	status, overall := http.StatusOK, "ok"
	for _, state := range checks {
		if state != "ok" {
			status, overall = http.StatusServiceUnavailable, "failing"
		}
	}
	body, err := json.Marshal(map[string]any{"status": overall, "checks": checks})
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away is nobody's error
}
