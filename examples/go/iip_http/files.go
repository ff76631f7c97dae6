package main

import (
	"fmt"
	"html"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// files serves a directory: no path and no symbolic link leads out of it.
type files struct{ root *os.Root }

func openFiles(name string) (*files, error) {
	root, err := os.OpenRoot(name)
	return &files{root}, err
}

// above tells whether a path goes up somewhere.
func above(path string) bool { return slices.Contains(strings.Split(path, "/"), "..") }

// ServeHTTP answers GET and HEAD.
func (f *files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	name, slash := strings.Trim(path, "/"), strings.HasSuffix(path, "/")
	if name == "" {
		name = "."
	}
	info, err := f.root.Stat(name)
	switch {
	case err != nil || slash && !info.IsDir():
		refuse(w, http.StatusNotFound)
	case info.IsDir() && !slash:
		w.Header().Set("Location", (&url.URL{Path: path + "/"}).EscapedPath())
		refuse(w, http.StatusMovedPermanently)
	case info.IsDir() && !f.file(w, r, name+"/index.html"):
		f.list(w, r, name)
	case !info.IsDir() && !f.file(w, r, name):
		refuse(w, http.StatusNotFound)
	}
}

// file serves a regular file; false: there is none of that name.
func (f *files) file(w http.ResponseWriter, r *http.Request, name string) bool {
	in, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe does not keep us
	if err != nil {
		return false
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	http.ServeContent(w, r, name, time.Time{}, in)
	return true
}

func (f *files) list(w http.ResponseWriter, r *http.Request, name string) {
	entries, err := fs.ReadDir(f.root.FS(), name)
	if err != nil {
		refuse(w, http.StatusNotFound)
		return
	}
	var text strings.Builder
	fmt.Fprintf(&text, "<!doctype html><title>%s</title><table>\n", html.EscapeString(r.URL.Path))
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		link, shown := (&url.URL{Path: e.Name()}).EscapedPath(), escape.Replace(e.Name())
		link = strings.ReplaceAll(link, "&", "%26")
		if info.IsDir() {
			fmt.Fprintf(&text, "<tr><td><a href=\"./%s/\">%s/</a></td></tr>\n", link, shown)
		} else {
			fmt.Fprintf(&text, "<tr><td><a href=\"./%s\">%s</a></td><td>%d</td></tr>\n", link, shown, info.Size())
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, text.String()+"</table>\n")
}

var escape = strings.NewReplacer("&", "&#38;", "<", "&#60;", ">", "&#62;", `"`, "&#34;", "'", "&#39;")
