package bench

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// service is one of the two that are compared.
type service struct {
	url, token string
	host       string // asked for, where it is not the url's; with it goes
	cookie     string
	client     *http.Client
	sent       atomic.Int64
}

func newService(t *testing.T, url, token string) *service {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &service{url: url, token: token, client: &http.Client{Transport: transport, Timeout: time.Minute}}
}

// call is one request; its body and path hold what must differ from all others.
type call struct {
	method, path, body, form string
	status                   int
}

func (s *service) do(c call) ([]byte, error) {
	var body bytes.Buffer
	err := s.read(c, &body)
	return body.Bytes(), err
}

// read sends a call and copies the answer.
func (s *service) read(c call, to io.Writer) error {
	r, err := http.NewRequestWithContext(context.Background(), c.method, s.url+c.path, strings.NewReader(c.body))
	if err != nil {
		return err
	}
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	if s.host != "" {
		r.Host = s.host
		r.Header.Set("Cookie", s.cookie)
	}
	if c.body != "" {
		r.Header.Set("Content-Type", cmp.Or(c.form, "application/json"))
	}
	response, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != c.status {
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%s %s: %d %.200s", c.method, c.path, response.StatusCode, text)
	}
	_, err = io.Copy(to, response.Body)
	return err
}

// workload is what connections do side by side, each one call after the other.
type workload struct {
	connections int
	lasts       time.Duration
	calls       int              // ends a window before its time; 0 is no limit
	next        func(int64) call // given a number that was never used
	answered    func([]byte)     // may be nil
}

// window is what a service did in one stretch of time.
type window struct {
	took  time.Duration
	times []time.Duration
}

// perCall is the time between two answers, of all connections together.
func (w window) perCall() float64 { return w.took.Seconds() / float64(len(w.times)) }

func (w workload) run(s *service) (window, error) {
	var mu sync.Mutex
	var all window
	var failed error
	var wait sync.WaitGroup
	var begun atomic.Int64
	began := time.Now()
	for range w.connections {
		wait.Go(func() {
			var times []time.Duration
			var err error
			for err == nil && time.Since(began) < w.lasts && (w.calls == 0 || begun.Add(1) <= int64(w.calls)) {
				c := w.next(s.sent.Add(1))
				at := time.Now()
				var body []byte
				body, err = s.do(c)
				times = append(times, time.Since(at))
				if w.answered != nil && err == nil {
					w.answered(body)
				}
			}
			mu.Lock()
			all.times = append(all.times, times...)
			failed = cmp.Or(failed, err)
			mu.Unlock()
		})
	}
	wait.Wait()
	all.took = time.Since(began)
	return all, failed
}

// client runs the load under a label, by which profiles leave it out.
func (w workload) must(t *testing.T, s *service) window {
	t.Helper()
	var got window
	var err error
	pprof.Do(t.Context(), pprof.Labels("side", "client"), func(context.Context) { got, err = w.run(s) })
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// comparison is two services under one load, in turns.
type comparison struct {
	a, b   []time.Duration // the times of all answers
	ratios []float64       // of each pair: time of a call at a by time of one at b
}

// compare runs pairs of windows, first and second changing places with each
// pair, after one pair that does not count.
func compare(t *testing.T, pairs int, a func() window, b func() window) comparison {
	t.Helper()
	a()
	b()
	var c comparison
	for i := range pairs {
		var wa, wb window
		if i%2 == 0 {
			wa, wb = a(), b()
		} else {
			wb, wa = b(), a()
		}
		c.a, c.b = append(c.a, wa.times...), append(c.b, wb.times...)
		c.ratios = append(c.ratios, wa.perCall()/wb.perCall())
	}
	return c
}

// spread is a median with the smallest and the largest value.
type spread struct{ low, median, high float64 }

func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	return spread{sorted[0], sorted[len(sorted)/2], sorted[len(sorted)-1]}
}

// inverse turns times into throughputs.
func inverse(values []float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = 1 / v
	}
	return out
}

func (s spread) String() string {
	return fmt.Sprintf("%s [%s–%s]", digits(s.median), digits(s.low), digits(s.high))
}

func digits(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// quantile returns the time that a part of all answers took at most.
func quantile(times []time.Duration, part float64) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[min(int(part*float64(len(sorted))), len(sorted)-1)]
}

func quantiles(times []time.Duration) string {
	ms := func(d time.Duration) string { return fmt.Sprintf("%.3g", float64(d)/float64(time.Millisecond)) }
	return ms(quantile(times, 0.5)) + " / " + ms(quantile(times, 0.99))
}
