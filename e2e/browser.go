package e2e

import (
	"context"
	"errors"
	"log"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// Browser is a chromium without a window. Each Tab has cookies and a cache of
// its own. It is safe for concurrent use.
type Browser struct {
	context context.Context
	stop    context.CancelFunc // of what started it
	dir     string
}

// StartBrowser starts the chromium that is on PATH, with a profile of its own.
// It talks to nobody but the pages: every host name leads to this machine.
func StartBrowser() (*Browser, error) {
	path, err := findChromium()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "portico-e2e-chromium-")
	if err != nil {
		return nil, err
	}
	flags := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	flags = append(flags,
		chromedp.ExecPath(path), chromedp.UserDataDir(dir), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("force-prefers-reduced-motion", true),
		chromedp.Flag("host-resolver-rules", "MAP * 127.0.0.1"),
		chromedp.WSURLReadTimeout(time.Minute),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), flags...)
	browser, _ := chromedp.NewContext(allocator, chromedp.WithErrorf(complainf)) // Close cancels it
	if err := chromedp.Run(browser); err != nil {
		stop()
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &Browser{browser, stop, dir}, nil
}

// window opens an empty window with cookies and a cache of its own.
func (b *Browser) window() (target.ID, error) {
	ctx := cdp.WithExecutor(b.context, chromedp.FromContext(b.context).Browser)
	profile, err := target.CreateBrowserContext().Do(ctx)
	if err != nil {
		return "", err
	}
	return target.CreateTarget("about:blank").WithBrowserContextID(profile).WithNewWindow(true).Do(ctx)
}

// complainf logs what the protocol's client finds wrong, but for events that are
// newer than it is.
func complainf(format string, args ...any) {
	if !strings.HasPrefix(format, "unhandled") {
		log.Printf("chromium: "+format, args...)
	}
}

// Close asks the browser to end, waits until it has, and removes its profile.
func (b *Browser) Close() error {
	started := chromedp.FromContext(b.context).Allocator
	err := chromedp.Cancel(b.context)
	b.stop()
	started.Wait()
	return errors.Join(err, os.RemoveAll(b.dir))
}

func findChromium() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("there is no chromium on PATH; make e2e installs it on Debian as root")
}
