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
	unit    string // of what is counted
	bar     *progressbar.ProgressBar
}

func (p *program) newBar(name string) *bar { return &bar{program: p, name: name, unit: "files"} }

// step is a node.Progress; bytes is 0 where none are counted.
func (b *bar) step(done, total int, bytes int64) {
	if b.bar == nil {
		_, visible := terminal(b.program.stderr)
		b.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(b.program.stderr), progressbar.OptionSetVisibility(visible),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString(b.unit),
			progressbar.OptionSetPredictTime(true), progressbar.OptionSetWidth(24),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	}
	description := b.name
	if bytes > 0 {
		description = fmt.Sprintf("%s %d MiB", b.name, bytes>>20)
	}
	b.bar.Describe(description)
	_ = b.bar.Set(done) // a bar that cannot be drawn stops nothing
}

func (b *bar) end() {
	if b.bar != nil {
		_ = b.bar.Exit() // the same
	}
}
