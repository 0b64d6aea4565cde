package main

import (
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"
)

// bar shows on a terminal how far a long operation has come, with its rate and
// the time left; elsewhere it is silent.
type bar struct {
	program *program
	name    string
	bar     *progressbar.ProgressBar
}

func (p *program) newBar(name string) *bar { return &bar{program: p, name: name} }

// step is a node.Progress.
func (b *bar) step(done, total int, bytes int64) {
	if b.bar == nil {
		_, visible := terminal(b.program.stderr)
		b.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(b.program.stderr), progressbar.OptionSetVisibility(visible),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("files"),
			progressbar.OptionSetPredictTime(true), progressbar.OptionSetWidth(24),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	}
	b.bar.Describe(fmt.Sprintf("%s %d MiB", b.name, bytes>>20))
	_ = b.bar.Set(done) // a bar that cannot be drawn stops nothing
}

func (b *bar) end() {
	if b.bar != nil {
		_ = b.bar.Exit() // the same
	}
}
