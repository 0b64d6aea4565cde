package httpapi

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// stalled is a client that takes nothing, until its deadline passes.
type stalled struct {
	http.ResponseWriter

	deadline chan time.Time
}

func (s *stalled) SetWriteDeadline(at time.Time) error {
	s.deadline <- at
	return nil
}

func (s *stalled) Write([]byte) (int, error) {
	for at := range s.deadline {
		if !at.After(time.Now()) {
			return 0, os.ErrDeadlineExceeded
		}
	}
	return 0, nil
}

// TestReaders: where there is no room, who keeps the server waiting longest is
// cut, nobody who is quick is, and what tells of a write is always given.
func TestReaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all := newReaders(2)
		var ends []chan error
		for range 2 {
			client := &stalled{httptest.NewRecorder(), make(chan time.Time, 2)}
			slow, err := all.admit(client, false)
			if err != nil {
				t.Fatal(err)
			}
			end := make(chan error, 1)
			go func() {
				err := slow.write([]byte("part"))
				slow.leave()
				end <- errors.Join(err, slow.write([]byte("more"))) // a cut is for good
			}()
			ends = append(ends, end)
			time.Sleep(readersPatience / 2) // so that one of them is the slowest
		}
		time.Sleep(readersPatience / 4)
		quick := httptest.NewRecorder()
		first, err := all.admit(quick, false) // cuts the first
		if err != nil {
			t.Fatalf("with a slow reader: %v", err)
		}
		if err := <-ends[0]; !errors.Is(err, os.ErrDeadlineExceeded) || !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("the slowest ended with %v", err)
		}
		if _, err := all.admit(quick, false); !errors.Is(err, errOverloaded) {
			t.Errorf("without a slow reader: %v", err)
		}
		told, err := all.admit(quick, true)
		if err != nil {
			t.Errorf("the answer to a write: %v", err)
		}
		if err := first.write([]byte("part")); err != nil || quick.Body.String() != "part" {
			t.Errorf("the quick one: %v, %q", err, quick.Body)
		}
		time.Sleep(readersPatience)
		if _, err := all.admit(quick, true); err != nil {
			t.Error(err)
		}
		if err := <-ends[1]; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the second slowest ended with %v", err)
		}
		first.leave()
		told.leave()
		if len(all.all) != 1 {
			t.Errorf("%d are counted, want the one that did not leave", len(all.all))
		}
	})
}
