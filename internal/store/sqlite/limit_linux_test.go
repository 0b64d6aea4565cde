package sqlite

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"portico"
)

// limitedChild says, in the environment, that a process may be limited.
const limitedChild = "PORTICO_TEST_LIMITED"

// TestFileSizeLimit runs this test in a process whose files may not grow past a
// size: that too is a full storage, and it ends when the limit does.
func TestFileSizeLimit(t *testing.T) {
	t.Parallel()
	if os.Getenv(limitedChild) == "" {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestFileSizeLimit$", "-test.count", "1")
		child.Env = append(os.Environ(), limitedChild+"=1")
		if out, err := child.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	var now atomic.Int64
	e := openEngine(t, Config{Exclusive: true, Now: func() time.Time { return time.Unix(now.Load(), 0) }})
	ctx := t.Context()
	if err := e.Registry().Update(ctx, putMeta("before")); err != nil {
		t.Fatal(err)
	}
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	limited := before
	limited.Cur = 1 << 20
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limited); err != nil {
		t.Fatal(err)
	}
	var err error
	for i := 0; err == nil && i < 100; i++ {
		err = e.Registry().Update(ctx, bulk(string(rune('a'+i%26))))
	}
	if portico.KindOf(err) != portico.KindStorageFull || !e.LowSpace() {
		t.Fatalf("writing past the limit gives %v", err)
	}
	if n := countMeta(t, e); n < 1 {
		t.Error("reading stopped")
	}
	if left, err := filepath.Glob(filepath.Join(e.folder.abs("."), "*"+temporaryMark+"*")); err != nil || len(left) > 0 {
		t.Errorf("the probe left %v, %v", left, err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	now.Add(1)
	if err := e.Registry().Update(ctx, putMeta("after")); err != nil {
		t.Errorf("without the limit an update gives %v", err)
	}
}
