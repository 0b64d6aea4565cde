package postgres

import (
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// endSilence makes the system give a connection up whose other end
// acknowledges nothing, rather than wait for a quarter of an hour.
func endSilence(network, _ string, raw syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(statementLimit/time.Millisecond))
	})
	if err != nil {
		return err
	}
	return failed
}
