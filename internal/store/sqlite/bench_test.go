package sqlite

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"portico/internal/store"
)

// benchDir returns a folder on the storage that tests use, which may be named
// because a sync costs nothing in memory.
func benchDir(b *testing.B) string {
	b.Helper()
	if base := os.Getenv("PORTICO_BENCH_DIR"); base != "" {
		dir, err := os.MkdirTemp(base, "bench") //nolint:usetesting // where the storage is, not where tests are
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	return b.TempDir()
}

func readOne(q store.SQL) error {
	var n int
	return q.QueryRow(`SELECT writes FROM identity WHERE portal_id <> $1`, "x").Scan(&n)
}

func BenchmarkOpenViewWarm(b *testing.B) {
	e := openEngine(b, Config{Dir: benchDir(b)})
	id := createPortal(b, e)
	b.ReportAllocs()
	for b.Loop() {
		h, err := e.Open(b.Context(), id)
		if err != nil {
			b.Fatal(err)
		}
		if err := h.View(b.Context(), readOne); err != nil {
			b.Fatal(err)
		}
		h.Release()
	}
}

func BenchmarkOpenWarm(b *testing.B) {
	e := openEngine(b, Config{Dir: benchDir(b)})
	id := createPortal(b, e)
	b.ReportAllocs()
	for b.Loop() {
		h, err := e.Open(b.Context(), id)
		if err != nil {
			b.Fatal(err)
		}
		h.Release()
	}
}

func BenchmarkOpenViewCold(b *testing.B) {
	e := openEngine(b, Config{Dir: benchDir(b), MaxHandles: 1})
	ids := []store.Identity{createPortal(b, e), createPortal(b, e)}
	for i := 0; b.Loop(); i++ {
		h, err := e.Open(b.Context(), ids[i%2])
		if err != nil {
			b.Fatal(err)
		}
		if err := h.View(b.Context(), readOne); err != nil {
			b.Fatal(err)
		}
		h.Release()
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, workers := range []int{1, 4, 16, 64} {
		b.Run(fmt.Sprintf("goroutines=%d", workers), func(b *testing.B) {
			e := openEngine(b, Config{Dir: benchDir(b)})
			var wg sync.WaitGroup
			work := make(chan int)
			for range workers {
				wg.Go(func() {
					for i := range work {
						err := e.Registry().Update(b.Context(), func(q store.SQL) error {
							_, err := q.Exec(`INSERT INTO meta (name, value) VALUES ($1, $2)
								ON CONFLICT (name) DO UPDATE SET value = excluded.value`, strconv.Itoa(i%1000), strconv.Itoa(i))
							return err
						})
						if err != nil {
							b.Error(err)
						}
					}
				})
			}
			i := 0
			for b.Loop() {
				work <- i
				i++
			}
			close(work)
			wg.Wait()
		})
	}
}

func BenchmarkCreate(b *testing.B) {
	e := openEngine(b, Config{Dir: benchDir(b)})
	createPortal(b, e)
	for b.Loop() {
		createPortal(b, e)
	}
}

func BenchmarkCreateDrop(b *testing.B) {
	e := openEngine(b, Config{Dir: benchDir(b)})
	createPortal(b, e)
	for b.Loop() {
		id := createPortal(b, e)
		if err := e.Drop(b.Context(), id.Place()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		e, err := Open(b.Context(), Config{Dir: benchDir(b), Exclusive: true})
		if err != nil {
			b.Fatal(err)
		}
		if err := e.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMemoryPerHandle(b *testing.B) {
	for _, write := range []bool{false, true} {
		b.Run(fmt.Sprintf("written=%v", write), func(b *testing.B) {
			e := openEngine(b, Config{Dir: benchDir(b), MaxHandles: 1 << 20})
			createPortal(b, e)
			before := rss(b)
			for b.Loop() {
				h, err := e.Open(b.Context(), createPortal(b, e))
				if err != nil {
					b.Fatal(err)
				}
				if err := h.View(b.Context(), readOne); err != nil {
					b.Fatal(err)
				}
				if write {
					err = h.Update(b.Context(), func(q store.SQL) error {
						_, err := q.Exec(`UPDATE identity SET writes = writes + 1`)
						return err
					})
					if err != nil {
						b.Fatal(err)
					}
				}
				h.Release()
			}
			b.ReportMetric(float64(rss(b)-before)/float64(b.N), "RSS-B/handle")
		})
	}
}

func rss(b *testing.B) int {
	b.Helper()
	runtime.GC()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip(err) // only Linux shows it there
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		b.Fatal(err)
	}
	return pages * os.Getpagesize()
}
