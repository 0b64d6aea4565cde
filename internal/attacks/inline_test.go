package attacks

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// inline returns what in a page would run, paint or lead elsewhere by the page
// itself: what the policy forbids, looked for where a browser would find it. Text
// may say anything.
func inline(page []byte) (found []string) {
	// With scripts off, what stands in a noscript is markup too.
	root, err := html.ParseWithOptions(bytes.NewReader(page), html.ParseOptionEnableScripting(false))
	if err != nil {
		return []string{err.Error()}
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		loads := false
		for _, a := range n.Attr {
			loads = loads || a.Key == "src" && a.Val != ""
			if a.Key == "style" || a.Key == "srcdoc" || strings.HasPrefix(a.Key, "on") || runs(a.Val) {
				found = append(found, "<"+n.Data+" "+a.Key+"="+a.Val+">")
			}
		}
		switch n.Data {
		case "script":
			if !loads || n.FirstChild != nil {
				found = append(found, "<script> without src, or with a text")
			}
		case "style", "base", "iframe", "object", "embed":
			found = append(found, "<"+n.Data+">")
		}
	}
	return found
}

// runs reports whether a value holds the beginning of an address that is a
// program, in any spelling that a browser reads as one.
func runs(value string) bool {
	plain := strings.Map(func(r rune) rune {
		if r <= ' ' {
			return -1
		}
		return r
	}, strings.ToLower(value))
	return strings.Contains(plain, "javascript:") || strings.Contains(plain, "vbscript:") || strings.Contains(plain, "data:text/html")
}

func TestInline(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		`<a href="javascript:alert(1)">`, `<a href=' JaVa&#115;cript&colon;x'>`, "<a href=\"java\n\tscript:x\">", `<a xlink:href="javascript:x">`, `<img alt="x" src=javascript:x>`,
		`<button formaction="javascript:x">`, `<form action=javascript:x>`, `<input value="javascript:x">`, `<a data-to="javascript:x">`, `<meta http-equiv="refresh" content="0;url=javascript:x">`,
		`<a href="vbscript:x">`, `<a href="data:text/html,x">`, `<p onclick=x>`, `<p ONCLICK="x">`, `<svg/onload=x>`, `<p style="color:red">`, `<style>p{}</style>`, `<script>x</script>`,
		`<script src="">x</script>`, `<script src="/a.js">x</script>`, `<script type="application/json">{}</script>`, `<noscript><p onclick=x></noscript>`, `<template><p onclick=x></template>`,
		`<base href="/">`, `<iframe src="/x">`, `<object data="/x">`, `<embed src="/x">`, `<p srcdoc="x">`,
	} {
		if found := inline([]byte(bad)); len(found) == 0 {
			t.Errorf("%s: nothing found", bad)
		}
	}
	good := `<!doctype html><script src="/a.js" async></script><link rel=stylesheet href=/a.css><p title="on: style=">javascript:alert(1) &lt;script&gt; onclick=x style=y<a href="/x?one=1">x</a>`
	if found := inline([]byte(good)); found != nil {
		t.Errorf("found %q", found)
	}
}
