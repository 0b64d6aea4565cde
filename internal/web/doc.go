// Package web is what all pages share: the layout, the stylesheet and its
// components, the small script behind them, assets with the hash of their
// content in their names, the headers that every page has, and the protection
// of forms. It knows no page, and imports nothing of the product's: a front
// (console, gateway, reference) gives it templates and values.
//
// A front embeds its templates and opens them once:
//
//	//go:embed pages/*
//	var files embed.FS
//
//	sub, _ := fs.Sub(files, "pages")
//	pages, err := web.Open(web.Config{Brand: "Portico", Home: "/", Files: sub, Log: log})
//	mux.Handle("GET "+pages.AssetPath(), pages.Assets())
//	mux.HandleFunc("GET /portals", func(w http.ResponseWriter, r *http.Request) {
//		pages.Render(w, r, "portals", web.Page{Title: "Portals", Data: rows})
//	})
//	handler := pages.Protect(mux) // refuses forms that come from elsewhere
//
// pages/portals.html defines "main", whose dot is Page.Data:
//
//	{{define "main"}}
//	<header class="head"><h1>Portals</h1><a class="button primary" href="/portals/new">New portal</a></header>
//	<div class="scroll" tabindex="0" role="region" aria-label="Portals"><table>…
//	  <td>{{template "chip" chip "good" "Active"}}</td> <td>{{template "time" .CreatedAt}}</td>
//	{{end}}
//
// A file whose name begins with an underscore is a partial that every page may
// use (pages/* embeds it, pages alone would not). Other files (*.js, *.css, *.svg) are assets: name a script in
// Page.Scripts, and anything else with {{asset "picture.svg"}}.
//
// Templates are html/template's, run by package program, which knows of that
// language what pages use.
//
// The components are in templates/components.html, each with the type that it
// takes: notice (Notice), chip (chip KIND TEXT), tabs and crumbs ([]Link),
// pages (Pagination), empty (Empty), code (code LABEL TEXT), time (time.Time).
// Classes that have no component are named at the head of assets/web.css.
//
// Pages work without scripts. assets/web.js adds, by attributes: data-copy,
// data-opens (a dialog), data-match (a button that waits for a text to be
// typed), data-live (a search form that answers while typing) and data-poll
// (an element that refreshes until the server leaves the attribute out).
//
// After a POST answer with http.StatusSeeOther to an address that says by a
// word of your own what happened (/portals?did=created), and show a Notice for
// that word: no state is kept for it, and a reload repeats nothing.
//
// Start with Page in pages.go.
package web
