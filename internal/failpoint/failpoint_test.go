package failpoint_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"portico/internal/failpoint"
)

// TestMain is also the child process: with EnvVar set it takes three steps and
// says which it took.
func TestMain(m *testing.M) {
	spec, child := os.LookupEnv(failpoint.EnvVar)
	if !child {
		os.Exit(m.Run())
	}
	set, err := failpoint.Parse(spec)
	if err != nil {
		fmt.Fprintln(os.Stdout, err)
		os.Exit(1)
	}
	for _, step := range []string{"one", "two", "three"} {
		if err := set.Hit(context.Background(), step); err != nil {
			fmt.Fprintln(os.Stdout, err)
			os.Exit(1)
		}
		fmt.Fprintln(os.Stdout, "passed", step)
	}
}

func TestEndOfTheProcess(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spec   string
		out    string
		signal syscall.Signal
		code   int
	}{
		"none":               {"", "passed one passed two passed three", 0, 0},
		"kill":               {"two=kill", "passed one", syscall.SIGKILL, -1},
		"kill at each":       {"one=kill:*", "", syscall.SIGKILL, -1},
		"kill, not reached":  {"two=kill:2", "passed one passed two passed three", 0, 0},
		"kill the third hit": {"#3=kill", "passed one passed two", syscall.SIGKILL, -1},
		"exit":               {"three=exit", "passed one passed two", 0, failpoint.ExitCode},
		"error":              {"two=error", "passed one failpoint two: hit 1 fails", 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), self)
			cmd.Env = append(os.Environ(), failpoint.EnvVar+"="+c.spec)
			out, err := cmd.Output()
			if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
				t.Fatal(err)
			}
			if got := strings.Join(strings.Fields(string(out)), " "); got != c.out {
				t.Errorf("output %q, want %q", got, c.out)
			}
			status := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if status.Signaled() != (c.signal != 0) || status.Signaled() && status.Signal() != c.signal {
				t.Errorf("status %v", cmd.ProcessState)
			}
			if got := cmd.ProcessState.ExitCode(); got != c.code {
				t.Errorf("exit code %d, want %d", got, c.code)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spec string
		want string // one digit for each of "a b a b a": 1 fails
	}{
		"empty":      {"", "00000"},
		"first":      {"a=error", "10000"},
		"second":     {"a=error:2", "00100"},
		"each":       {"b=error:*", "01010"},
		"two rules":  {"a=error:1; a=error:3 ;", "10001"},
		"any fourth": {"#4=error", "00010"},
		"mixed":      {"#1=error;b=error:2", "10010"},
		"other name": {"c=error:*", "00000"},
	} {
		set, err := failpoint.Parse(c.spec)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := ""
		var gotSb105 strings.Builder
		for point := range strings.FieldsSeq("a b a b a") {
			err := set.Hit(t.Context(), point)
			if err == nil {
				gotSb105.WriteString("0")
				continue
			}
			gotSb105.WriteString("1")
			if e, ok := errors.AsType[*failpoint.Error](err); !ok || e.Point != point {
				t.Errorf("%s: %v is no error of point %s", name, err, point)
			}
		}
		got += gotSb105.String()
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		want := []failpoint.Point{{Name: "a", Hits: 3}, {Name: "b", Hits: 2}}
		if seen := set.Seen(); !slices.Equal(seen, want) || set.Total() != 5 {
			t.Errorf("%s: seen %v, total %d", name, seen, set.Total())
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{
		"a", "=kill", "a=", "a=boom", "A=kill", "a b=kill", "a=kill:0", "a=kill:-1", "a=kill:x", "a=error:",
		"a=delay", "a=delay:soon", "a=pause", "a=hold:", "#=kill", "#0=kill", "#x=error", "#*=error",
		"#1=error:2", "#1=delay:1s", "a=kill;b",
	} {
		if _, err := failpoint.Parse(spec); err == nil {
			t.Errorf("%q: accepted", spec)
		}
	}
}

func TestNilSet(t *testing.T) { //nolint:paralleltest // alone: it counts allocations
	var set *failpoint.Set
	if set.Seen() != nil || set.Total() != 0 {
		t.Error("a nil set counted")
	}
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		if err := set.Hit(ctx, "a"); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("a nil set allocates %v times", n)
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		set, err := failpoint.Parse("a=delay:1h")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := set.Hit(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d != time.Hour {
			t.Errorf("waited %v", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := set.Hit(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestFiles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "go")
		set, err := failpoint.Parse("a=pause:" + path + ";b=hold:" + path)
		if err != nil {
			t.Fatal(err)
		}
		if err := set.Hit(t.Context(), "b"); err != nil {
			t.Fatal(err) // no file, nothing to hold
		}
		done := make(chan error, 1)
		waiting := func(point string) {
			t.Helper()
			go func() { done <- set.Hit(t.Context(), point) }()
			time.Sleep(time.Minute) // of the bubble's clock
			select {
			case err := <-done:
				t.Fatalf("%s did not wait: %v", point, err)
			default:
			}
		}
		waiting("a")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		waiting("b")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		set := failpoint.New()
		gate := set.Gate("a")
		var through sync.WaitGroup
		for range 3 {
			through.Go(func() {
				if err := set.Hit(t.Context(), "a"); err != nil {
					t.Error(err)
				}
			})
		}
		<-gate.Reached()
		synctest.Wait()
		if got := set.Total(); got != 3 {
			t.Errorf("%d hits", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := set.Hit(ctx, "a"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		gate.Open()
		gate.Open()
		through.Wait()
		if err := set.Hit(t.Context(), "a"); err != nil {
			t.Error(err)
		}
	})
}

func TestOn(t *testing.T) {
	t.Parallel()
	set := failpoint.New()
	set.On("a", func(_ context.Context, p failpoint.Point) error {
		if p.Hits == 2 {
			return syscall.ENOSPC
		}
		return nil
	})
	if err := set.Hit(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	if err := set.Hit(t.Context(), "a"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	names, err := failpoint.Join([]string{"b", "a"}, nil, []string{"c.d"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(names, failpoint.Names{"a", "b", "c.d"}) {
		t.Errorf("got %v", names)
	}
	for _, lists := range [][][]string{{{"a", "a"}}, {{"a"}, {"b", "a"}}, {{""}}, {{"A"}}} {
		if _, err := failpoint.Join(lists...); err == nil {
			t.Errorf("%v: accepted", lists)
		}
	}
	set, err := failpoint.Parse("a=error:9;slip=error:9;#9=error")
	if err != nil {
		t.Fatal(err)
	}
	for _, point := range []string{"a", "undeclared"} {
		if err := set.Hit(t.Context(), point); err != nil {
			t.Fatal(err)
		}
	}
	if got := names.Missing(set); !slices.Equal(got, []string{"b", "c.d"}) {
		t.Errorf("missing %v", got)
	}
	if got := names.Unknown(set); !slices.Equal(got, []string{"slip", "undeclared"}) {
		t.Errorf("unknown %v", got)
	}
	if got := names.Missing(nil); !slices.Equal(got, names) {
		t.Errorf("missing of none %v", got)
	}
	if got := names.Unknown(nil); got != nil {
		t.Errorf("unknown of none %v", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "a=kill;b=error:3", "x=pause:/path", "#7=error", "a=delay:1ms", ";;="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		if set, err := failpoint.Parse(spec); (set == nil) == (err == nil) {
			t.Errorf("%q: %v, %v", spec, set, err)
		}
	})
}

func BenchmarkNilSet(b *testing.B) {
	var set *failpoint.Set
	for b.Loop() {
		_ = set.Hit(b.Context(), "a")
	}
}
